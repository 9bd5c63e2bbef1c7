import type { Msg } from 'nats';
import { connectNats } from '../../src/nats/connect.ts';
import type { LeasedTask } from '../../src/tasks/task.ts';
import type { Suite } from '../harness/bench.ts';
import { bodyOf, leanClient, textOf } from '../harness/lean-client.ts';
import { closedLoop } from '../harness/load.ts';
import { startRotaOn } from '../harness/stage.ts';
import { pushedTask } from '../harness/tasks.ts';

export const cycle: Suite = {
  name: 'cycle',
  about: 'whole lives of tasks over NATS: push, pop, running, completed',
  run: async (bench) => {
    const rota = await startRotaOn(await bench.stage(), 'cycle');
    const connection = await connectNats({ servers: rota.natsUrl });
    const client = leanClient(connection);
    /** One life after the other, four requests each, by callbacks. */
    const live = (slot: number, done: (count: number) => void, failed: (error: unknown) => void) => {
      const ask = (subject: string, body: object, answered: (text: string) => void) =>
        client.request(slot, `${rota.prefix}.${subject}`, bodyOf(body), (message: Msg) => {
          try {
            answered(textOf(message));
          } catch (error) {
            failed(error);
          }
        });
      ask('push.normalizer', pushedTask.normalizer(), () =>
        ask('pop.normalizer', { worker: 'bench', wait_ms: 10_000 }, (popped) => {
          const [task] = (JSON.parse(popped) as { results: LeasedTask[] }).results;
          const lease = { id: task!.id, lease_id: task!.lease_id };
          ask('task.patch', { ...lease, status: 'running' }, () =>
            ask('task.patch', { ...lease, status: 'completed' }, () => done(1)),
          );
        }),
      );
    };
    try {
      await bench.measure(
        'cycle',
        [1, 16, 64, 256].map((workers) => ({
          name: `${workers}-workers`,
          unit: 'tasks/s',
          sample: () =>
            closedLoop({ inFlight: workers, warmUpMs: bench.warmUpMs, measureMs: bench.sampleMs, send: live }),
        })),
      );
    } finally {
      await connection.close();
      await rota.stop();
    }
  },
};
