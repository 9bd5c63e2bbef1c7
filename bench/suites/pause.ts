import { rotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { type Bench, type Suite, warmUp, nameOf, type Size, sizesOf } from '../harness/bench.ts';
import { until } from '../harness/kat.ts';
import { leanClient } from '../harness/lean-client.ts';
import { Backlog } from '../harness/load.ts';
import { addQueued } from '../harness/seeds.ts';
import { startRotaOn } from '../harness/stage.ts';
import { popCase } from './pop-cases.ts';

const paused = { scheduler: 'boefje', organisation: 'org-paused' };
const load = { limit: 1, inFlight: 64 };

export const pause: Suite = {
  name: 'pause',
  about: 'pops of the others while an organisation with as many tasks at the head of the queue is paused',
  run: async (bench) => {
    for (const size of sizesOf(bench.quick, 100_000)) await measure(bench, size);
  },
};

async function measure(bench: Bench, { tasks: depth, suffix }: Size): Promise<void> {
  const stage = await bench.stage();
  const filling = { queued: depth, finished: 0 };
  const [without, within] = await Promise.all([
    startRotaOn(stage, `pause_without${depth}`, { filling }),
    startRotaOn(stage, `pause_within${depth}`, {
      filling,
      // A person's and those just behind: before all others.
      seed: (sql) => addQueued(sql, { rows: depth, rank: 1, organisation: paused.organisation }),
    }),
  ]);
  const connection = await connectNats({ servers: stage.natsUrl });
  const client = rotaClient(connection, { prefix: within.prefix, timeoutMs: 60_000 });
  /** @returns seconds until every row is where the command wants it */
  const told = async (command: 'pause' | 'resume', rows: number) => {
    const began = performance.now();
    await client.ctl(command, paused);
    await until(command, async () => {
      const [held] = await within.sql<{ rows: number }[]>`
          SELECT count(*)::integer AS rows FROM queue 
          WHERE scheduler = ${paused.scheduler} AND organisation = ${paused.organisation} AND held`;
      return held!.rows === rows;
    });
    return (performance.now() - began) / 1_000;
  };
  try {
    bench.record(`pause/to-hold-${nameOf(depth)}`, 's', [{ value: await told('pause', depth) }]);
    const lean = leanClient(connection);
    const pops = [
      { name: `pops-nobody-paused${suffix}`, rota: without, depth },
      { name: `pops-head-paused${suffix}`, rota: within, depth: depth * 2 },
    ].map(({ name, rota, depth }) => {
      const backlog = new Backlog(rota.sql, depth);
      return popCase(bench, { client: lean, prefix: rota.prefix, depth: depth / 2, backlog }, { ...load, name });
    });
    for (const one of pops) await warmUp(one, bench.quick ? 1 : 3);
    await bench.measure('pause', pops);
    bench.record(`pause/to-release-${nameOf(depth)}`, 's', [{ value: await told('resume', 0) }]);
    const [first] = await client.pop('boefje');
    if (first?.organisation !== paused.organisation) throw new Error('what was released is not popped first');
    bench.want(`pause/pops-head-paused${suffix}`, {
      against: 'nobody paused',
      of: `pause/pops-nobody-paused${suffix}`,
      atLeast: 0.9,
    });
  } finally {
    await connection.close();
    await without.stop();
    await within.stop();
  }
}
