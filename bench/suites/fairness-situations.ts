import { randomUUID } from 'node:crypto';
import type { RotaClient } from '../../src/nats/client.ts';
import type { LeasedTask } from '../../src/tasks/task.ts';

export interface Situation {
  readonly name: string;
  /** Of fair-share; met within a tenth, a waiting one to the pop. */
  readonly wanted: number;
  readonly unit: 'pops of 1 000' | 'pops';
  play(queue: PlayedQueue): Promise<number>;
}

const perRequest = 500;
/** None expires while a situation is played. */
const leaseMs = 86_400_000;

/** A queue that is pushed to and popped from, by organisation and image. */
export class PlayedQueue {
  readonly client: RotaClient;

  constructor(client: RotaClient) {
    this.client = client;
  }

  async push(organisation: string, count: number, image = 'a'): Promise<void> {
    for (let from = 0; from < count; from += perRequest) {
      await this.client.push(
        'boefje',
        Array.from({ length: Math.min(perRequest, count - from) }, () => ({
          organisation,
          data: {
            boefje: { id: `boefje-${image}`, oci_image: image },
            input_ooi: `Hostname|internet|${randomUUID()}`,
            organization: organisation,
          },
        })),
      );
    }
  }

  /** Organisations in the order in which they are served; `image`: by workers of that image alone. */
  async pop(count: number, image?: string): Promise<string[]> {
    return (await this.take(count, image)).map(({ organisation }) => organisation);
  }

  async take(count: number, image?: string): Promise<LeasedTask[]> {
    const taken: LeasedTask[] = [];
    const of =
      image === undefined
        ? {}
        : {
            filters: {
              filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq' as const, value: image }],
            },
          };
    while (taken.length < count) {
      const limit = Math.min(100, count - taken.length);
      const tasks = await this.client.pop('boefje', { limit, lease_ms: leaseMs, ...of });
      if (tasks.length === 0) break;
      taken.push(...tasks);
    }
    return taken;
  }
}

/** Of a thousand. */
function share(served: readonly string[], name: string): number {
  return (served.filter((one) => one === name).length / served.length) * 1_000;
}

/** How many are served up to and with the first of that name; more than all where it is not. */
function wait(served: readonly string[], name: string): number {
  const at = served.indexOf(name);
  return at < 0 ? served.length + 1 : at + 1;
}

/** `by` divides bursts. */
export function situations(by: number): readonly Situation[] {
  const of = (count: number) => Math.ceil(count / by);
  return [
    {
      name: 'newcomer-after-an-old-head',
      wanted: 500,
      unit: 'pops of 1 000',
      play: async (queue) => {
        await queue.push('odd', 1, 'none');
        await queue.push('old', of(10_000));
        await queue.pop(of(5_000), 'a');
        await queue.push('new', of(5_000));
        return share(await queue.pop(of(1_000), 'a'), 'new');
      },
    },
    {
      name: 'newcomer-beside-a-slow-image',
      wanted: 500,
      unit: 'pops of 1 000',
      play: async (queue) => {
        await queue.push('slow', of(3_000), 'b');
        await queue.push('old', of(6_000));
        const both = async () => {
          const served = await queue.pop(of(500), 'a');
          await queue.pop(of(50), 'b');
          return served;
        };
        for (let round = 0; round < 4; round += 1) await both();
        await queue.push('new', of(3_000));
        const served: string[] = [];
        for (let round = 0; round < 4; round += 1) served.push(...(await both()));
        return share(served, 'new');
      },
    },
    {
      name: 'one-task-of-another-image',
      wanted: 2,
      unit: 'pops',
      play: async (queue) => {
        await queue.push('x', of(3_000), 'b');
        await queue.push('old', of(3_000));
        await queue.push('x', 1);
        return wait(await queue.pop(of(3_001), 'a'), 'x');
      },
    },
    {
      name: 'resumed-after-a-pause',
      wanted: 250,
      unit: 'pops of 1 000',
      play: async (queue) => {
        for (const name of ['big', 'a', 'b', 'c']) await queue.push(name, of(4_000));
        await queue.pop(of(400));
        await queue.client.ctl('pause', { scheduler: 'boefje', organisation: 'big' });
        await queue.pop(of(3_000));
        await queue.client.ctl('resume', { scheduler: 'boefje', organisation: 'big' });
        return share(await queue.pop(of(3_000)), 'big');
      },
    },
    {
      name: 'old-failures-retried',
      wanted: 200,
      unit: 'pops of 1 000',
      play: async (queue) => {
        for (const name of ['x', 'y']) await queue.push(name, of(1_000));
        const failed = await queue.take(of(2_000));
        for (let from = 0; from < failed.length; from += perRequest) {
          const some = failed.slice(from, from + perRequest);
          await queue.client.patch(some.map(({ id, lease_id }) => ({ id, lease_id, status: 'failed' as const })));
        }
        for (const name of ['a', 'b', 'c']) await queue.push(name, of(3_000));
        await queue.pop(of(3_000));
        for (let from = 0; from < failed.length; from += 100) {
          const ids = failed.slice(from, from + 100).map(({ id }) => id);
          await queue.client.ctl('change-tasks', { ids, action: 'retry' });
        }
        return share(await queue.pop(of(3_500)), 'x');
      },
    },
    {
      name: 'one-task-after-a-cancelled-burst',
      wanted: 2,
      unit: 'pops',
      play: async (queue) => {
        await queue.push('big', of(3_000));
        await queue.push('a', of(3_000));
        await queue.pop(of(200));
        await queue.client.ctl('purge', { organisation: 'big' });
        await queue.push('big', 1);
        return wait(await queue.pop(of(2_901)), 'big');
      },
    },
    {
      name: 'one-task-after-a-rerank',
      wanted: 5,
      unit: 'pops',
      play: async (queue) => {
        await queue.push('idle', of(1_000));
        for (const name of ['a', 'b']) await queue.push(name, of(3_000));
        await queue.pop(of(3_000));
        for (;;) {
          const { complete } = await queue.client.ctl<{ complete: boolean }>('rerank', { scheduler: 'boefje' });
          if (complete) break;
        }
        await queue.push('idle', 1);
        return wait(await queue.pop(of(4_000)), 'idle');
      },
    },
    {
      name: 'one-task-beside-a-burst-of-20000',
      wanted: 2,
      unit: 'pops',
      play: async (queue) => {
        await queue.push('big', of(20_000));
        await queue.pop(of(100));
        await queue.push('other', 1);
        return wait(await queue.pop(of(20_000)), 'other');
      },
    },
    {
      name: 'one-manual-scan-beside-3000',
      wanted: 2,
      unit: 'pops',
      play: async (queue) => {
        const manual = (organisation: string, count: number) =>
          queue.client.push(
            'boefje',
            Array.from({ length: count }, () => ({
              organisation,
              priority: 1,
              data: {
                boefje: { id: 'boefje-a', oci_image: 'a' },
                input_ooi: `Hostname|internet|${randomUUID()}`,
                organization: organisation,
              },
            })),
          );
        for (let set = 0; set < of(3_000) / 100; set += 1) await manual('big', 100);
        await queue.pop(of(100));
        await manual('one', 1);
        return wait(await queue.pop(of(2_901)), 'one');
      },
    },
  ];
}
