import { PgBoss } from 'pg-boss';
import { type Bench, type Case, type CaseSet, nameOf } from '../harness/bench.ts';
import { closedLoop } from '../harness/load.ts';
import { pushedTask } from '../harness/tasks.ts';

const queue = 'boefje';
const setSize = 1_000;

/**
 * pg-boss on the same Postgres; fetched and completed, a connection for each that asks, in sets where its authors advise
 * them (`batchSize`, `insert`). Maintenance and cron, which would run beside it, are off.
 */
export async function pgBoss(bench: Bench, name: string, depth: number) {
  const stage = await bench.stage();
  const connectionString = await stage.database(name);
  const boss = new PgBoss({ connectionString, max: 16, supervise: false, schedule: false });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue(queue);
  const fill = async () => {
    if (depth === 0) return;
    const database = boss.getDb();
    const { rows } = await database.executeSql(`SELECT count(*) AS count FROM pgboss.job WHERE state = 'created'`);
    const missing = depth - Number(rows[0].count);
    for (let done = 0; done < missing; done += setSize) await boss.insert(queue, jobs());
  };
  await fill();
  if (depth > 0) await boss.getDb().executeSql('VACUUM ANALYZE');
  const load = (name: string, inFlight: number, work: () => Promise<number>): Case => ({
    name,
    unit: 'tasks/s',
    repetitions: bench.repetitionsAt(depth),
    prepare: fill,
    sample: () =>
      closedLoop({
        inFlight,
        warmUpMs: bench.warmUpMs,
        measureMs: bench.sampleMs,
        most: depth === 0 ? Number.POSITIVE_INFINITY : depth / 2,
        send: (_slot, done, failed) => void work().then(done, failed),
      }),
  });
  const fetch = async (batchSize: number) => {
    const fetched = await boss.fetch(queue, { batchSize });
    if (fetched.length > 0)
      await boss.complete(
        queue,
        fetched.map(({ id }) => id),
      );
    return fetched.length;
  };
  const close = async () => {
    await boss.stop({ graceful: false });
    await stage.drop(connectionString);
  };
  return {
    pops: (): CaseSet => ({
      cases: [
        load(`pg-boss-fetch-1-16-in-flight-${nameOf(depth)}`, 16, () => fetch(1)),
        load(`pg-boss-fetch-100-4-in-flight-${nameOf(depth)}`, 4, () => fetch(100)),
      ],
      close,
    }),
    pushes: (): CaseSet => ({
      cases: [
        load('pg-boss-single-16-clients', 16, () => boss.send(queue, pushedTask.boefje().data).then(() => 1)),
        load(`pg-boss-sets-of-${setSize}`, 4, () => boss.insert(queue, jobs()).then(() => setSize)),
      ],
      close,
    }),
  };
}

function jobs() {
  return Array.from({ length: setSize }, () => ({ data: pushedTask.boefje().data }));
}
