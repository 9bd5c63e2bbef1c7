import { connectNats } from '../../src/nats/connect.ts';
import type { Suite } from '../harness/bench.ts';
import { leanClient } from '../harness/lean-client.ts';
import { lives } from '../harness/lives.ts';
import { closedLoop } from '../harness/load.ts';
import { startRotaOn } from '../harness/stage.ts';

export const cycle: Suite = {
  name: 'cycle',
  about: 'whole lives of tasks over NATS: push, pop, running, completed',
  run: async (bench) => {
    const rota = await startRotaOn(await bench.stage(), 'cycle');
    const connection = await connectNats({ servers: rota.natsUrl });
    const send = lives(leanClient(connection), rota.prefix);
    const { warmUpMs, sampleMs: measureMs } = bench;
    try {
      await bench.measure(
        'cycle',
        [1, 16, 64, 256].map((inFlight) => ({
          name: `${inFlight}-workers`,
          unit: 'tasks/s',
          sample: () => closedLoop({ inFlight, warmUpMs, measureMs, send }),
        })),
      );
    } finally {
      await connection.close();
      await rota.stop();
    }
  },
};
