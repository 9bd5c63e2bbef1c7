import type { Bench, Suite } from '../harness/bench.ts';
import { countOf, startKatOn, until, plainWorld } from '../harness/kat.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import { boefjes } from '../../src/simulator/plugins.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import type { World } from '../../src/simulator/world.ts';

/** Of every answer of Katalogus, Octopoes and Bytes. */
const answerMs = 5;
const organisations = 100;

interface Due {
  readonly name: string;
  readonly schedules: number;
  /** Of these. */
  readonly due: number;
}

export const rescheduling: Suite = {
  name: 'rescheduling',
  about: 'schedules that are all due at once become tasks, their latest ones in our table',
  run: async (bench) => {
    // 100 000 that are due take 36 s, seeding included: a quick run has as many schedules, of which a tenth is due.
    const runs: readonly Due[] = bench.quick
      ? [
          { name: '10k-due', schedules: 10_000, due: 10_000 },
          { name: '10k-due-of-100k', schedules: 100_000, due: 10_000 },
        ]
      : [{ name: '100k-due', schedules: 100_000, due: 100_000 }];
    for (const run of runs) await measure(bench, run);
    bench.want('rescheduling/100k-due', { own: 'median', atMost: 30 });
  },
};

async function measure(bench: Bench, { name, schedules, due }: Due): Promise<void> {
  const world = plainWorld({ organisations, boefjes: 1, objects: schedules / organisations });
  const seed = (sql: Sql) => addSchedules(sql, world);
  const stage = await startKatOn(bench, `rescheduling${schedules}`, world, { latencyMs: answerMs, seed });
  try {
    await until('the boefje actor', async () => stage.kat.counters().katalogus['GET /v1/organisations'] !== undefined);
    // Organisation by organisation where all are due; by hash, and so about as many of each, where some are.
    await (due === schedules
      ? stage.rota.sql`UPDATE schedules SET deadline_at = now() - interval '1 hour'`
      : stage.rota.sql`
          UPDATE schedules SET deadline_at = now() - interval '1 hour'
          WHERE id IN (SELECT id FROM schedules ORDER BY hash LIMIT ${due})`);
    const began = performance.now();
    await stage.client.ctl('reschedule', { actor: 'boefje' });
    // To count a hundred thousand takes 12 ms of Postgres.
    await until('all schedules are moved on', async () => (await countOf(stage.rota.sql, 'queue')) >= due, {
      everyMs: 200,
    });
    bench.record(`rescheduling/${name}`, 's', [{ value: (performance.now() - began) / 1_000 }]);
  } finally {
    await stage.stop();
  }
}

/** A schedule for each object, not due yet, and its task of two days ago; the boefje is new to no organisation. */
async function addSchedules(sql: Sql, world: World): Promise<void> {
  const boefje = boefjes(1)[0]!;
  for (const organisation of world.organisations.values()) {
    await sql`INSERT INTO seen_boefjes (organisation, boefjes) VALUES (${organisation.id}, ${[boefje.id]})`;
    const rows = [...organisation.objects.keys()].map((inputOoi) => ({
      hash: boefjeHash({ boefjeId: boefje.id, inputOoi, organisation: organisation.id }),
      organisation: organisation.id,
      data: {
        boefje: { id: boefje.id, name: boefje.name, version: null, oci_image: boefje.oci_image },
        input_ooi: inputOoi,
        organization: organisation.id,
      },
    }));
    await sql`
      WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::text::json) AS g (hash text, organisation text, data jsonb)
      ),
      scheduled AS (
        INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, deadline_at)
        SELECT gen_random_uuid(), 'boefje', organisation, hash, data, true, now() + interval '1 hour' FROM given
      )
      INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
      SELECT gen_random_uuid(), 'boefje', organisation, 'boefje', hash, 1, data, 'COMPLETED',
        now() - interval '2 days', now() - interval '2 days'
      FROM given`;
  }
}
