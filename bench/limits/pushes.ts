import { migrate } from '../../src/queue/migrations.ts';
import { queueItem } from '../../src/queue/new-task.ts';
import { connect, statement } from '../../src/queue/postgres.ts';
import type { Bench, Case } from '../harness/bench.ts';
import type { CaseSet } from '../harness/case-set.ts';
import { pushedTask } from '../harness/tasks.ts';
import { hasPgbench, pgbench } from './pgbench.ts';

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
  await sql`CREATE TABLE bench_sets (n bigint PRIMARY KEY, items text NOT NULL)`;
  await sql`CREATE SEQUENCE bench_next`;
  const seconds = Math.max(1, Math.round(bench.sampleMs / 1_000));
  let made = 0;

  const pushes = (type: 'boefje' | 'normalizer'): Case => ({
    name: `pgbench-sets-of-${setSize}-${type}`,
    unit: 'tasks/s',
    // What it takes to make the sets is as long again.
    ...(bench.quick ? { repetitions: 2 } : {}),
    prepare: async () => {
      await sql`TRUNCATE bench_sets`;
      await sql`SELECT setval('bench_next', ${made + 1}, false)`;
      const sets = Array.from({ length: setsPerSecond * seconds }, () => ({ n: ++made, items: itemsOf(type) }));
      await sql`INSERT INTO bench_sets ${sql(sets)}`;
    },
    sample: async () => {
      const script = pushOf(type);
      const rate = await pgbench({ databaseUrl, script, clients: 2, seconds });
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

function itemsOf(type: 'boefje' | 'normalizer'): string {
  const items = Array.from({ length: setSize }, (_, n) => {
    const task = pushedTask[type]();
    return { ...queueItem(task, { type, ...settings }), n, rank: task.priority, priority: task.priority };
  });
  return JSON.stringify(items);
}

function pushOf(type: string): string {
  const next = `(SELECT items FROM bench_sets WHERE n = (SELECT nextval('bench_next')))`;
  // Tasks are answered, as to whoever pushes over NATS.
  const values = [`'${type}'`, `'${type}'`, next, '0', 'true'];
  return statement('push').replaceAll(/\$(\d)/g, (_match, place) => values[Number(place) - 1]!);
}
