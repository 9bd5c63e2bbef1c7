import { setTimeout as delay } from 'node:timers/promises';
import { connectNats } from '../../src/nats/connect.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { Retention } from '../../src/queue/maintenance/retention.ts';
import { type Bench, type Sample, type Suite } from '../harness/bench.ts';
import { cpuMsOf, cpuMsOfFamily } from '../harness/cpu-time.ts';
import { leanClient } from '../harness/lean-client.ts';
import { openLoop } from '../harness/load.ts';
import { type RotaOnStage, startRotaOn } from '../harness/stage.ts';
import { lives } from '../harness/tasks.ts';

/** Whole lives a second: few of them share a statement, which is the dearest way, and a core of two stays idle. */
const rate = 60;
/**
 * What retention removes must have been written at the same rate: tasks of an hour that are just old enough. The least that
 * retire.sql keeps are 25 hours, also where the setting says less (/tasks/stats counts them), and the setting counts in days.
 */
const keptHours = 25.2;
/** Supervisors walk once an hour, and a walk would fall into one window of twelve: the bench walks in their place, in each. */
const walkEveryMs = 60_000;
/** Compiling, first pages and first plans are no part of what is compared. */
const warmUpMs = 60_000;

export const soak: Suite = {
  name: 'soak',
  about: 'an hour of whole lives at a fixed rate with retention: what a life costs, and what the tables weigh',
  alone: true,
  run: async (bench) => {
    const windowMs = bench.quick ? 5_000 : 300_000;
    const windows = bench.quick ? 4 : 12;
    const began = bench.quick ? 2_000 : warmUpMs;
    const stage = await bench.stage();
    const rota = await startRotaOn(stage, 'soak', {
      seed: (sql) => addEnded(sql, Math.round((rate * (began + windows * windowMs)) / 1_000)),
    });
    const connection = await connectNats({ servers: rota.natsUrl });
    const retention = new Retention({
      sql: rota.sql,
      days: keptHours / 24,
      gracePeriodSeconds: 86_400,
      onError: () => {},
    });
    const stop = new AbortController();
    try {
      const loop = openLoop({ rate, most: 512, send: lives(leanClient(connection), rota.prefix) });
      const walks = walking(retention, bench.quick ? 2_000 : walkEveryMs, stop.signal);
      await delay(began);
      const seen: Window[] = [];
      for (let n = 0; n < windows; n += 1) {
        seen.push(await window(rota, stage.postgresPid, loop, windowMs));
        bench.say(`  ${told(seen.at(-1)!)}`);
      }
      stop.abort();
      await walks;
      await loop.stop();
      record(bench, seen);
    } finally {
      stop.abort();
      await connection.close();
      await rota.stop();
    }
  },
};

interface Window {
  readonly lives: number;
  readonly latenciesMs: Float64Array;
  /** µs a life, what is spent without one included; of Postgres all processes, vacuums too. */
  readonly supervisor: number;
  readonly postgres: number;
  /** MB at its end. */
  readonly tasks: number;
  readonly indexes: number;
  readonly queue: number;
  /** Dead rows of `tasks`, in thousands. */
  readonly dead: number;
}

async function window(
  rota: RotaOnStage,
  postgresPid: number,
  loop: ReturnType<typeof openLoop>,
  ms: number,
): Promise<Window> {
  const { pid } = rota.supervisor;
  const cpu = async () => [await cpuMsOf(pid), await cpuMsOfFamily(postgresPid)] as const;
  loop.take();
  const before = await cpu();
  await delay(ms);
  const after = await cpu();
  const latenciesMs = loop.take();
  const of = (at: 0 | 1) => ((after[at] - before[at]) * 1_000) / latenciesMs.length;
  return { lives: latenciesMs.length, latenciesMs, supervisor: of(0), postgres: of(1), ...(await sizes(rota.sql)) };
}

async function sizes(sql: Sql): Promise<Pick<Window, 'tasks' | 'indexes' | 'queue' | 'dead'>> {
  const [row] = await sql<{ tasks: number; indexes: number; queue: number; dead: number }[]>`
    SELECT pg_relation_size('tasks')::float8 / 1e6 AS tasks, pg_indexes_size('tasks')::float8 / 1e6 AS indexes,
      (pg_total_relation_size('queue') + pg_total_relation_size('leases'))::float8 / 1e6 AS queue,
      n_dead_tup::float8 / 1e3 AS dead
    FROM pg_stat_user_tables WHERE relid = 'tasks'::regclass`;
  return row!;
}

async function walking(retention: Retention, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await retention.walk();
    await delay(everyMs, undefined, { signal }).catch(() => {});
  }
}

const figures = [
  ['supervisor', 'µs/life'],
  ['postgres', 'µs/life'],
  ['tasks', 'MB'],
  ['indexes', 'MB'],
  ['queue', 'MB'],
  ['dead', 'thousand rows'],
] as const;

function record(bench: Bench, windows: readonly Window[]): void {
  const samples = (of: (window: Window) => number) => windows.map((it): Sample => ({ value: of(it) }));
  bench.record(
    'soak/lives',
    'tasks/s',
    windows.map(({ latenciesMs, lives: done }) => ({ value: done, latenciesMs })),
  );
  for (const [figure, unit] of figures) {
    const all = samples((it) => it[figure]);
    bench.record(`soak/${figure}`, unit, all);
    // Dead rows come and go with each vacuum: the most of either half.
    const half = windows.length / 2;
    const [first, last] =
      figure === 'dead' ? [mostOf(all.slice(0, half)), mostOf(all.slice(half))] : [all[0]!, all.at(-1)!];
    bench.record(`soak/${figure}-first`, unit, [first]);
    bench.record(`soak/${figure}-last`, unit, [last]);
    // Seconds after the start all grows.
    if (!bench.quick) bench.want(`soak/${figure}-last`, { against: 'first', of: `soak/${figure}-first`, atMost: 1.1 });
  }
}

function mostOf(samples: readonly Sample[]): Sample {
  return { value: Math.max(...samples.map(({ value }) => value)) };
}

function told({ lives: done, supervisor, postgres, tasks, indexes, queue, dead }: Window): string {
  const parts = [`${done} lives`, `${supervisor.toFixed(0)} + ${postgres.toFixed(0)} µs a life`];
  const weights = `tasks ${tasks.toFixed(0)} MB, indexes ${indexes.toFixed(0)}, queue ${queue.toFixed(1)}`;
  return [...parts, weights, `${dead.toFixed(1)} thousand dead rows`].join(', ');
}

/**
 * As a supervisor left them 25 to 26 hours ago, in the order of their age, by which their ids are ordered too: of random ones each page of the
 * primary key would keep some for the whole hour, and the index grow by a fifth.
 */
async function addEnded(sql: Sql, count: number): Promise<void> {
  const chunk = 100_000;
  for (let from = 0; from < count; from += chunk)
    await sql`
      INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at,
        attempts, claimed_at, started_at, ended_at, worker, settled_by)
      SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || left(md5(n::text), 3) || '8'
          || right(md5(n::text), 15))::uuid, 'normalizer', 'org-' || n % 300, 'normalizer', md5(n::text), 2000000000,
        jsonb_build_object('normalizer', '{"id": "kat_dns_normalize", "name": "DNS records", "version": null}'::jsonb,
          'raw_data', jsonb_build_object('id', gen_random_uuid(), 'secure_hash', NULL, 'hash_retrieval_link', NULL,
            'mime_types', '[{"value": "boefje/dns"}]'::jsonb, 'boefje_meta', jsonb_build_object('id', gen_random_uuid(),
              'input_ooi', 'Hostname|internet|host-' || n || '.example', 'organization', 'org-' || n % 300, 'arguments', '{}'::jsonb,
              'started_at', at, 'ended_at', at, 'boefje', '{"id": "dns", "name": "DNS", "version": null}'::jsonb))),
        'COMPLETED', at, at, 1, at, at, at, 'bench', gen_random_uuid()
      FROM (
        SELECT n, now() - ${keptHours} * interval '1 hour' + n / ${rate}::float8 * interval '1 second' AS at
        FROM generate_series(${from}::int, ${Math.min(from + chunk, count) - 1}::int) AS n
      ) AS seeded`;
  await sql`VACUUM ANALYZE tasks`;
  await sql`CHECKPOINT`;
}
