import { migrate } from '../../src/queue/schema/migrations.ts';
import { pushStatement, queueItem } from '../../src/queue/push/push-statement.ts';
import { connect } from '../../src/postgres/pool.ts';
import type { Bench, Case } from '../harness/bench.ts';
import type { CaseSet } from '../harness/case-set.ts';
import { pushedTask } from '../harness/tasks.ts';
import { hasPgbench, pgbench } from './pgbench.ts';

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

/** Tasks are answered, as to whoever pushes over NATS. */
function pushOf(type: Type, size: number): ReturnType<typeof pushStatement> {
  const items = Array.from({ length: size }, (_, n) => {
    const task = pushedTask[type]();
    return { row: queueItem(task, { type, ...settings }), n, rank: task.priority };
  });
  return pushStatement(items, { scheduler: type, type, maxSize: 0, answersTasks: true });
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
