import { scanProfileMutation } from '../../src/simulator/events.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { type Bench, type Suite, type Size, sizesOf } from '../harness/bench.ts';
import { startKatOn, until, untilLooked, hostname, plainWorld } from '../harness/kat.ts';

const objects = 1_000;
const boefjes = 10;
/** One mutation batch of this size, recorded for mula on a machine like this one (docs/benchmarks.md). */
const mulaSeconds = 113.8;

export const mutations: Suite = {
  name: 'mutations',
  about: '1 000 mutated objects with 10 boefjes each become 10 000 queued tasks',
  run: async (bench) => {
    for (const size of sizesOf(bench.quick, 0)) await measure(bench, size);
  },
};

async function measure(bench: Bench, { tasks, suffix }: Size): Promise<void> {
  const world = plainWorld({ organisations: 1, boefjes, objects: 0 });
  const stage = await startKatOn(bench, `mutations${tasks}`, world, { filling: { queued: tasks, finished: 0 } });
  const { rota, kat, events } = stage;
  const requests: number[] = [];
  let batch = 0;
  const sample = async () => {
    const organisation = kat.world.organisations.get('org-1')!;
    const found = Array.from({ length: objects }, (_, at) => hostname(0, batch * objects + at));
    batch += 1;
    for (const object of found) organisation.objects.set(object.reference, object);
    const bodies = found.map((object) => JSON.stringify(scanProfileMutation('org-1', 'create', object)));
    const wanted = (await queued(rota.sql)) + objects * boefjes;
    kat.resetCounters();
    const began = performance.now();
    await Promise.all(bodies.map((body) => events.publish('scan_profile_mutations', body)));
    await until('10 000 tasks', async () => (await queued(rota.sql)) >= wanted, { everyMs: 50 });
    const seconds = (performance.now() - began) / 1_000;
    requests.push(Object.values(kat.counters().katalogus).reduce((sum, count) => sum + count, 0));
    return { value: seconds };
  };
  /** What the sample before queued: to count fifty thousand each 20 ms took Postgres longer than to queue them. */
  const empty = async () => {
    await rota.sql`
      WITH gone AS (DELETE FROM queue WHERE scheduler = 'boefje' AND organisation = 'org-1' RETURNING id)
      UPDATE tasks SET status = 'COMPLETED' FROM gone WHERE tasks.id = gone.id`;
  };
  try {
    await untilLooked(stage);
    await bench.measure('mutations', [
      { name: `batch-to-queued${suffix}`, unit: 's', repetitions: bench.quick ? 1 : 5, prepare: empty, sample },
    ]);
    bench.record(
      `mutations/katalogus-requests${suffix}`,
      'requests',
      requests.map((value) => ({ value })),
    );
    bench.want(
      `mutations/batch-to-queued${suffix}`,
      { own: 'median', atMost: 5 },
      { against: 'mula (recorded)', of: mulaSeconds },
    );
  } finally {
    await stage.stop();
  }
}

/** Of the one organisation of the world: to count all, time and again, would be a part of what is measured. */
async function queued(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*)::integer AS count FROM queue WHERE scheduler = 'boefje' AND organisation = 'org-1'`;
  return row!.count;
}
