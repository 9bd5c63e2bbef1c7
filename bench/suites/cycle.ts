import { connectNats } from '../../src/nats/connect.ts';
import { type Bench, type Suite, type CaseSet, type Size, sizesOf } from '../harness/bench.ts';
import { bodyOf, type LeanClient, leanClient, textOf } from '../harness/lean-client.ts';
import { lives, livesSettledByPops, pushedTask } from '../harness/tasks.ts';
import { attempt, closedLoop } from '../harness/load.ts';
import { startRotaOn } from '../harness/stage.ts';

const setSize = 1_000;
const setsAtOnce = 4;

export const cycle: Suite = {
  name: 'cycle',
  about: 'whole lives of tasks over NATS: push, pop, running, completed',
  run: async (bench) => {
    const sets: CaseSet[] = [];
    try {
      for (const size of sizesOf(bench.quick, 0)) sets.push(await livesAt(bench, size));
      await bench.measure(
        'cycle',
        sets.flatMap(({ cases }) => cases),
      );
    } finally {
      for (const set of sets) await set.close();
    }
  },
};

/** Behind a backlog a worker gets the oldest task, not the one that it pushed: the queue stays as deep. */
async function livesAt(bench: Bench, { tasks, suffix }: Size): Promise<CaseSet> {
  const rota = await startRotaOn(await bench.stage(), `cycle${tasks}`);
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = leanClient(connection);
  const close = async () => {
    await connection.close();
    await rota.stop();
  };
  const { warmUpMs, sampleMs: measureMs } = bench;
  try {
    if (tasks > 0) {
      await pushBacklog(client, rota.prefix, tasks);
      await rota.sql`VACUUM ANALYZE`;
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    cases: [1, 16, 64, 256].flatMap((inFlight) =>
      (
        [
          ['', lives],
          ['-settled-by-pops', livesSettledByPops],
        ] as const
      ).map(([how, way]) => ({
        name: `${inFlight}-workers${how}${suffix}`,
        unit: 'tasks/s',
        // Few workers measure only how long the requests take.
        ...(bench.quick && inFlight < 64 ? { repetitions: 1 } : {}),
        sample: () => closedLoop({ inFlight, warmUpMs, measureMs, send: way(client, rota.prefix) }),
      })),
    ),
    close,
  };
}

/** The seeds have boefjes only: pushed as a normalizer's tasks are. Exactly so many: sets in flight at the end are pushed, not counted. */
async function pushBacklog(client: LeanClient, prefix: string, tasks: number): Promise<void> {
  const set = () => bodyOf({ tasks: Array.from({ length: setSize }, () => pushedTask.normalizer()) });
  await closedLoop({
    inFlight: setsAtOnce,
    warmUpMs: 0,
    measureMs: 300_000,
    most: tasks - (setsAtOnce - 1) * setSize,
    send: (slot, done, failed) =>
      client.request(slot, `${prefix}.push.normalizer`, set(), (message) =>
        attempt(failed, () => (textOf(message), done(setSize))),
      ),
  });
}
