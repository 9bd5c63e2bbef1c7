import type { LeasedTask } from '../../src/tasks/task.ts';
import { bodyOf, type LeanClient, textOf } from './lean-client.ts';
import { attempt } from './load.ts';
import { pushedTask } from './tasks.ts';

/** Whole lives of tasks, one after the other in each slot: push, pop, running, completed. Four requests each. */
export function lives(client: LeanClient, prefix: string) {
  return (slot: number, done: (count: number) => void, failed: (error: unknown) => void): void => {
    const ask = (subject: string, body: object, answered: (text: string) => void) =>
      client.request(slot, `${prefix}.${subject}`, bodyOf(body), (message) =>
        attempt(failed, () => answered(textOf(message))),
      );
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
}

/** The same in sets of `size`, without the step in between: what fills the write-ahead log fastest. */
export function livesInSets(client: LeanClient, prefix: string, size: number) {
  return (slot: number, done: (count: number) => void, failed: (error: unknown) => void): void => {
    const ask = (subject: string, body: object, answered: (text: string) => void) =>
      client.request(slot, `${prefix}.${subject}`, bodyOf(body), (message) =>
        attempt(failed, () => answered(textOf(message))),
      );
    ask('push.normalizer', { tasks: Array.from({ length: size }, () => pushedTask.normalizer()) }, () =>
      ask('pop.normalizer', { worker: 'bench', limit: size, wait_ms: 10_000 }, (popped) => {
        const { results } = JSON.parse(popped) as { results: LeasedTask[] };
        const patches = results.map(({ id, lease_id }) => ({ id, lease_id, status: 'completed' }));
        ask('task.patch', { patches }, () => done(patches.length));
      }),
    );
  };
}
