import { rotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { type Bench, type Sample, type Suite, nameOf } from '../harness/bench.ts';
import { bodyOf, leanClient, tasksIn, textOf } from '../harness/lean-client.ts';
import { attempt, closedLoop } from '../harness/load.ts';
import { queueUpTo } from '../harness/seeds.ts';
import { startRotaOn } from '../harness/stage.ts';

const inFlight = 64;
/** Pops at full rate for a third of the time: a queue that is drained meanwhile is not one of a million any more. */
const bursts = {
  quick: { warmUpMs: 50, measureMs: 250, pauseMs: 600 },
  full: { warmUpMs: 200, measureMs: 800, pauseMs: 2_000 },
};
const burstsBefore = 5;
/** So that as many as the name says are left to be ranked when the pops have had theirs. */
const spare = 1.1;

interface Progress {
  readonly instance: string;
  readonly looked: number;
  readonly moved: number;
  readonly complete: boolean;
}

export const rerank: Suite = {
  name: 'rerank',
  about: 'every queued task ranked anew by fair-share and written, while pops go on',
  run: async (bench) => {
    for (const depth of bench.quick ? [10_000, 100_000] : [1_000_000]) await measure(bench, depth);
  },
};

async function measure(bench: Bench, depth: number): Promise<void> {
  const { pauseMs, ...burst } = bursts[bench.quick ? 'quick' : 'full'];
  const rota = await startRotaOn(await bench.stage(), `rerank${nameOf(depth)}`, {
    filling: { queued: depth, finished: 0 },
    settings: { SCHEDULER_BOEFJE_RANKER: 'fair-share' },
  });
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = rotaClient(connection, { prefix: rota.prefix, timeoutMs: 60_000 });
  const lean = leanClient(connection);
  const body = bodyOf({ limit: 1, worker: 'bench' });
  const pops = () =>
    closedLoop({
      inFlight,
      ...burst,
      most: depth / 10,
      send: (slot, done, failed) =>
        lean.request(slot, `${rota.prefix}.pop.boefje`, body, (message) =>
          attempt(failed, () => done(tasksIn(textOf(message)))),
        ),
    });
  const name = nameOf(depth);
  try {
    const before: Sample[] = [];
    while (before.length < burstsBefore) {
      await queueUpTo(rota.sql, depth);
      before.push(await pops());
    }
    await queueUpTo(rota.sql, depth * spare);
    const during: Sample[] = [];
    let running = true;
    const popping = (async () => {
      while (running) {
        during.push(await pops());
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    })();
    const began = performance.now();
    let progress = await client.ctl<Progress>('rerank', { scheduler: 'boefje' });
    while (!progress.complete) progress = await client.ctl<Progress>('rerank', { scheduler: 'boefje' });
    const seconds = (performance.now() - began) / 1_000;
    running = false;
    await popping;
    bench.record(`rerank/${name}-written`, 's', [{ value: seconds }]);
    bench.record(`rerank/${name}-moved`, 'tasks', [{ value: progress.moved }]);
    bench.record(`rerank/pops-before-${name}`, 'tasks/s', before);
    bench.record(`rerank/pops-during-${name}`, 'tasks/s', during);
    bench.want(`rerank/${name}-written`, { own: 'median', atMost: 90 });
    bench.want(`rerank/pops-during-${name}`, { against: 'before', of: `rerank/pops-before-${name}`, atLeast: 0.5 });
  } finally {
    await connection.close();
    await rota.stop();
  }
}
