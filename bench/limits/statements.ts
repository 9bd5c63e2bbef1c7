import { claimStatement } from '../../src/queue/pop/claim.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { queueItem, pushStatement } from '../../src/queue/push/push-statement.ts';
import { connect } from '../../src/postgres/pool.ts';
import type { Bench, Case, CaseSet } from '../harness/bench.ts';
import { queueUpTo } from '../harness/seeds.ts';
import { pushedTask } from '../harness/tasks.ts';
import { hasPgbench, pgbench } from './pgbench.ts';

/** Our own claim statement without anything of ours around it: what Postgres can hand out on this machine. */
export async function claimLimits(bench: Bench, depth: number): Promise<CaseSet> {
  if (!(await hasPgbench())) return { cases: [], close: async () => {} };
  const stage = await bench.stage();
  const databaseUrl = await stage.seeds.take('limit_claims', { queued: depth, finished: 0 });
  const sql = connect(databaseUrl, { max: 1 });
  const queued = async () => Number((await sql`SELECT count(*) AS count FROM queue`)[0]!['count']);
  const seconds = Math.max(1, Math.round(bench.sampleMs / 1_000));

  const claims = (units: number, clients: number): Case => ({
    name: `pgbench-claims-of-${units}-${clients}-clients`,
    unit: 'tasks/s',
    // The filling up takes longer than the second that is measured.
    ...(bench.quick ? { repetitions: 1 } : {}),
    // It must not run dry: more rows a second than this statement was ever seen to reach on two cores.
    prepare: () => queueUpTo(sql, depth + (units === 1 ? 12_000 : 50_000) * seconds),
    sample: async () => {
      const before = await queued();
      const rate = await pgbench({ databaseUrl, script: claimOf(units), clients, seconds });
      if ((await queued()) === 0) throw new Error(`the queue of ${before} ran dry under pgbench`);
      return { value: rate * units };
    },
  });
  return {
    cases: [claims(1, 16), claims(100, 4)],
    close: async () => {
      await sql.end();
      await stage.drop(databaseUrl);
    },
  };
}

function claimOf(units: number): string {
  const values = [
    `'boefje'`,
    String(units),
    `array_fill('bench'::text, ARRAY[${units}])`,
    `array_fill('nats'::text, ARRAY[${units}])`,
    `array_fill(60000::float8, ARRAY[${units}])`,
    `array_fill('_INBOX.bench'::text, ARRAY[${units}])`,
    '60000',
  ];
  return claimStatement(null, 'boefje').text.replaceAll(/\$(\d)/g, (_match, place) => values[Number(place) - 1]!);
}

type Type = 'boefje' | 'normalizer';

const settings = { gracePeriodSeconds: 86_400, jitterSeconds: 18_000 };
const setSize = 1_000;
/** Sets made beforehand for one sample: more tasks a second than were ever seen on two cores. */
const setsPerSecond = 50;

/** Our own push statement for sets of 1 000 that lie ready in a table: what Postgres can take in on this machine. */
export async function pushLimits(bench: Bench): Promise<CaseSet> {
  if (!(await hasPgbench())) return { cases: [], close: async () => {} };
  const stage = await bench.stage();
  const databaseUrl = await stage.database('limit_pushes');
  await migrate(databaseUrl);
  const sql = connect(databaseUrl, { max: 1 });
  await sql`CREATE TABLE bench_sets (n bigint PRIMARY KEY, items text NOT NULL, data text NOT NULL)`;
  await sql`CREATE SEQUENCE bench_next`;
  const seconds = Math.max(1, Math.round(bench.sampleMs / 1_000));
  let made = 0;

  const pushes = (type: Type): Case => ({
    name: `pgbench-sets-of-${setSize}-${type}`,
    unit: 'tasks/s',
    // What it takes to make the sets is as long again.
    ...(bench.quick ? { repetitions: 1 } : {}),
    prepare: async () => {
      await sql`TRUNCATE bench_sets`;
      await sql`SELECT setval('bench_next', ${made + 1}, false)`;
      const sets = Array.from({ length: setsPerSecond * seconds }, () => {
        const [, , items, data] = pushOf(type, setSize).values as string[];
        return { n: ++made, items: items!, data: data! };
      });
      await sql`INSERT INTO bench_sets ${sql(sets)}`;
    },
    sample: async () => {
      const rate = await pgbench({ databaseUrl, script: scriptOf(type), clients: 2, seconds });
      const [taken] = await sql<{ last: string }[]>`SELECT last_value::text AS last FROM bench_next`;
      if (Number(taken!.last) > made) throw new Error(`pgbench took in more than ${setsPerSecond} sets a second`);
      return { value: rate * setSize };
    },
  });
  return {
    cases: [pushes('normalizer'), pushes('boefje')],
    close: async () => {
      await sql.end();
      await stage.drop(databaseUrl);
    },
  };
}

/** With tasks in the answer, as over NATS. */
function pushOf(type: Type, size: number): ReturnType<typeof pushStatement> {
  const items = Array.from({ length: size }, (_, n) => {
    const task = pushedTask[type]();
    return { row: queueItem(task, { type, ...settings }), n, score: task.priority, manual: false };
  });
  return pushStatement(items, { scheduler: type, type, maxSize: 0, answersTasks: true, costs: null });
}

/** The same statement, which takes the next set out of the table. */
function scriptOf(type: Type): string {
  const literals = [`'${type}'`, `'${type}'`, '(SELECT items FROM next)', '(SELECT data FROM next)', '0', 'true'];
  return pushOf(type, 1)
    .text.replace(
      'WITH',
      `WITH next AS MATERIALIZED (SELECT * FROM bench_sets WHERE n = (SELECT nextval('bench_next'))),`,
    )
    .replaceAll(/\$(\d)/g, (_match, place) => literals[Number(place) - 1]!);
}
