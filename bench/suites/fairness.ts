import { rotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import type { Bench, Suite } from '../harness/bench.ts';
import { startRotaOn } from '../harness/stage.ts';
import { PlayedQueue, type Situation, situations } from './fairness-situations.ts';

/** The situations of docs/queue-semantics.md, "Fair share", counted in pops. `quick` divides bursts by ten. */
export const fairness: Suite = {
  name: 'fairness',
  about:
    'how many pops of a thousand an organisation gets, and for how many one waits, beside bursts that pause, fail and are cancelled',
  run: async (bench) => {
    for (const ranker of ['fair-share', 'created-at'])
      for (const situation of situations(bench.quick ? 10 : 1)) await measure(bench, ranker, situation);
  },
};

async function measure(bench: Bench, ranker: string, { name, wanted, unit, play }: Situation): Promise<void> {
  const rota = await startRotaOn(await bench.stage(), `fairness_${ranker}_${name}`.replaceAll('-', '_').slice(0, 40), {
    settings: { SCHEDULER_BOEFJE_RANKER: ranker, SCHEDULER_MAX_LEASE_SECONDS: '86400' },
  });
  const connection = await connectNats({ servers: rota.natsUrl });
  try {
    const client = rotaClient(connection, { prefix: rota.prefix, timeoutMs: 60_000 });
    const value = await play(new PlayedQueue(client));
    bench.record(`fairness/${name}-${ranker}`, unit, [{ value }]);
    if (ranker === 'fair-share')
      bench.want(`fairness/${name}-${ranker}`, { own: 'median', atMost: unit === 'pops' ? wanted : wanted * 1.1 });
  } finally {
    await connection.close();
    await rota.stop();
  }
}
