import { Logger, makeWorkerUtils, run, type RunnerOptions } from 'graphile-worker';
import { Pool } from 'pg';
import { type Bench, type Case, type CaseSet, nameOf } from '../harness/bench.ts';
import { closedLoop, Meter } from '../harness/load.ts';
import { pushedTask } from '../harness/tasks.ts';

const silent = new Logger(() => () => {});
const task = 'boefje';
const setSize = 1_000;

/**
 * What its authors publish their figures with (worker.graphile.org/docs/performance): 24 jobs at a time, a connection for
 * each and one more, a local queue of 500, completions and failures in batches without delay.
 */
const published = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

/** graphile-worker on the same Postgres. */
export async function graphileWorker(bench: Bench, name: string, depth: number) {
  const stage = await bench.stage();
  const connectionString = await stage.database(name);
  const pool = openPool(connectionString, 10);
  const utils = await makeWorkerUtils({ pgPool: pool, logger: silent });
  await utils.migrate();
  const queued = () =>
    utils.withPgClient(async (client) => {
      const { rows } = await client.query<{ count: string }>('SELECT count(*) AS count FROM graphile_worker.jobs');
      return Number(rows[0]!.count);
    });
  const fill = async () => {
    for (let missing = depth - (await queued()); missing > 0; missing -= setSize) await utils.addJobs(jobs());
  };
  if (depth > 0) {
    await fill();
    await utils.withPgClient((client) => client.query('VACUUM ANALYZE'));
  }

  const pops = (label: string, connections: number, options: Partial<RunnerOptions>): Case => ({
    name: `graphile-worker-${label}-${nameOf(depth)}`,
    unit: 'tasks/s',
    repetitions: bench.repetitionsAt(depth),
    prepare: fill,
    sample: async () => {
      const meter = new Meter({ warmUpMs: bench.warmUpMs, measureMs: bench.sampleMs, most: depth / 2 });
      const runnerPool = openPool(connectionString, connections);
      const runner = await run({
        pgPool: runnerPool,
        logger: silent,
        noHandleSignals: true,
        taskList: { [task]: async () => meter.count() },
        ...options,
      });
      const value = await meter.rate;
      await runner.stop();
      await runnerPool.end();
      return { value };
    },
  });

  const close = async () => {
    await utils.release();
    await pool.end();
    await stage.drop(connectionString);
  };
  return {
    /** One job a statement, at one job and at 24 at a time; and its local queue, which deals inside one process. */
    pops: (): CaseSet => ({
      cases: [
        ...(depth === 100_000 ? [pops('one-at-a-time-1', 10, { concurrency: 1 })] : []),
        pops('one-at-a-time-24', 25, { concurrency: 24 }),
        pops('local-queue', published.maxPoolSize, { preset: { worker: published } }),
      ],
      close,
    }),
    pushes: (): CaseSet => ({
      cases: [
        pushCase(bench, 'single-16-clients', 16, 1, () => utils.addJob(task, pushedTask.boefje().data)),
        pushCase(bench, `sets-of-${setSize}`, 4, setSize, () => utils.addJobs(jobs())),
      ],
      close,
    }),
  };
}

/**
 * Of ours, since its own lose their error listeners when they are released, before the connections are closed: dropping
 * the database then ended the run.
 */
function openPool(connectionString: string, max: number): Pool {
  const pool = new Pool({ connectionString, max });
  // A connection that breaks while it is used fails the statement on it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

function jobs() {
  return Array.from({ length: setSize }, () => ({ identifier: task, payload: pushedTask.boefje().data }));
}

function pushCase(bench: Bench, label: string, inFlight: number, size: number, push: () => Promise<unknown>): Case {
  return {
    name: `graphile-worker-${label}`,
    unit: 'tasks/s',
    sample: () =>
      closedLoop({
        inFlight,
        warmUpMs: bench.warmUpMs,
        measureMs: bench.sampleMs,
        send: (_slot, done, failed) => void push().then(() => done(size), failed),
      }),
  };
}
