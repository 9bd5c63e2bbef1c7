import { randomUUID } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import { RotaError } from '../../src/errors.ts';
import { currentTrace, newTrace } from '../../src/mailbox/trace.ts';
import type { ItemResult, PopOptions, StatusPatch } from '../../src/nats/client.ts';
import { runWorker, type Worker, type WorkerOptions } from '../../src/nats/worker.ts';
import type { LeasedTask } from '../../src/tasks/task.ts';

let worker: Worker | undefined;

afterEach(async () => {
  await worker?.stop();
  worker = undefined;
});

const tasksOf = (count: number, traces: readonly string[] = []): LeasedTask[] =>
  Array.from({ length: count }, (_, at) => {
    const trace = traces[at];
    return {
      id: `task-${at}`,
      lease_id: randomUUID(),
      ...(trace === undefined ? {} : { traceparent: trace }),
    } as LeasedTask;
  });

const taken = (patches: readonly StatusPatch[]): ItemResult[] => patches.map(({ id, status }) => ({ id, status }));

/** One pop hands out all of them; every request that settles is written down, with its trace. */
function work(
  tasks: readonly LeasedTask[],
  handle: WorkerOptions['handle'],
  answer: (patches: readonly StatusPatch[]) => ItemResult[] = taken,
  { popFails = false, concurrency = 3 } = {},
) {
  const asked: { patches: string[] | 'one, with the whole task as its answer'; trace: string; with?: 'pop' }[] = [];
  const errors: unknown[] = [];
  const queued = [...tasks];
  const client = {
    async settleAndPop(_scheduler: string, set: readonly StatusPatch[], { limit = 1 }: PopOptions) {
      const patches = set.map(({ id, status }) => `${id} ${status}`);
      asked.push({ patches, trace: currentTrace(), with: 'pop' });
      await Promise.resolve();
      if (popFails) throw new RotaError('FILTER_TOO_SLOW', 'narrow the filter');
      return { results: queued.splice(0, limit), settled: answer(set) };
    },
    pop: async (_scheduler: string, { limit = 1 }: PopOptions) =>
      queued.length > 0 ? queued.splice(0, limit) : new Promise((resolve) => setTimeout(resolve, 20, [])),
    heartbeat: async () => ({ renewed: [], lost: [] }),
    async patch(patched: StatusPatch | readonly StatusPatch[]) {
      const isSet = Array.isArray(patched);
      const set = (isSet ? patched : [patched]) as readonly StatusPatch[];
      const patches = isSet ? set.map(({ id, status }) => `${id} ${status}`) : 'one, with the whole task as its answer';
      asked.push({ patches, trace: currentTrace() });
      await Promise.resolve();
      return answer(set);
    },
  } as unknown as WorkerOptions['client'];
  worker = runWorker({
    client,
    scheduler: 'boefje',
    concurrency,
    handle,
    onError: (error) => void errors.push(error),
  });
  return { asked, errors };
}

const idle = () => vi.waitFor(() => expect(worker!.inHand()).toBe(0), { timeout: 5_000 });

test('what is ready at the same time is settled in one set, whose answer has no tasks', async () => {
  const { asked } = work(tasksOf(3), async ({ id }) => {
    if (id === 'task-1') throw new Error('no route');
  });
  await vi.waitFor(() => expect(asked).toHaveLength(2), { timeout: 5_000 });
  await idle();
  expect(asked.map(({ patches }) => patches)).toEqual([
    ['task-0 running', 'task-1 running', 'task-2 running'],
    ['task-0 completed', 'task-1 failed', 'task-2 completed'],
  ]);
});

test('one that is ready alone waits for no other', async () => {
  const finish = Promise.withResolvers<void>();
  const { asked } = work(tasksOf(2), async ({ id }) => (id === 'task-1' ? finish.promise : undefined));
  await vi.waitFor(() => expect(asked.at(-1)?.patches).toEqual(['task-0 completed']), { timeout: 5_000 });
  finish.resolve();
  await vi.waitFor(() => expect(asked.at(-1)?.patches).toEqual(['task-1 completed']), { timeout: 5_000 });
});

test('a task of a set that is refused is reported and not handled; one that is busy is settled again', async () => {
  const handled: string[] = [];
  let busy = true;
  const { asked, errors } = work(
    tasksOf(3),
    async ({ id }) => void handled.push(id),
    (patches) =>
      patches.map(({ id, status }) => {
        if (id === 'task-0') return { error: { code: 'LEASE_LOST', detail: 'lease lost' } };
        if (id === 'task-2' && busy) {
          busy = false;
          return { error: { code: 'DATABASE_UNAVAILABLE', detail: 'away' } };
        }
        return { id, status };
      }),
  );
  await vi.waitFor(() => expect(asked.at(-1)?.patches).toEqual(['task-2 completed']), { timeout: 5_000 });
  await idle();
  expect(handled).toEqual(['task-1', 'task-2']);
  expect(errors).toEqual([new RotaError('LEASE_LOST', 'lease lost')]);
});

test('tasks of several traces are settled in a set for each, in that trace', async () => {
  const [one, other] = [newTrace(), newTrace()];
  const { asked } = work(tasksOf(3, [one, other, one]), async () => {});
  await vi.waitFor(() => expect(asked).toHaveLength(4), { timeout: 5_000 });
  expect(asked).toEqual([
    { patches: ['task-0 running', 'task-2 running'], trace: one },
    { patches: ['task-1 running'], trace: other },
    { patches: ['task-0 completed', 'task-2 completed'], trace: one },
    { patches: ['task-1 completed'], trace: other },
  ]);
});

test('while there is work, what ends goes with the next pop', async () => {
  const { asked, errors } = work(tasksOf(9), async () => {});
  await vi.waitFor(() => expect(asked.flatMap(({ patches }) => patches)).toHaveLength(18), { timeout: 5_000 });
  await idle();
  const settling = asked.filter(({ with: by }) => by === 'pop');
  expect(settling[0]?.patches).toEqual(['task-0 completed', 'task-1 completed', 'task-2 completed']);
  expect(settling[1]?.patches).toEqual(['task-3 completed', 'task-4 completed', 'task-5 completed']);
  expect(errors).toEqual([]);
});

test('where that pop fails, what it brought goes by itself', async () => {
  const { asked, errors } = work(tasksOf(3), async () => {}, taken, { popFails: true });
  await vi.waitFor(() => expect(asked.filter(({ with: by }) => by !== 'pop')).toHaveLength(2), { timeout: 5_000 });
  await idle();
  expect(asked.map(({ patches, with: by }) => [patches.length, by])).toEqual([
    [3, undefined],
    [3, 'pop'],
    [3, undefined],
  ]);
  expect(errors).toEqual([new RotaError('FILTER_TOO_SLOW', 'narrow the filter')]);
});

test('a stop tells what ended before it gives back the rest', async () => {
  const { asked } = work(tasksOf(3), async () => {}, taken, { popFails: true });
  await vi.waitFor(() => expect(asked.some(({ with: by }) => by === 'pop')).toBe(true), {
    timeout: 5_000,
    interval: 1,
  });
  await worker!.stop();
  const alone = asked.filter(({ with: by }) => by !== 'pop').flatMap(({ patches }) => patches);
  expect(alone.filter((patch) => !patch.endsWith(' running'))).toEqual([
    'task-0 completed',
    'task-1 completed',
    'task-2 completed',
  ]);
});

test('what goes with a pop fits into it, however long the errors are', async () => {
  const sizes: number[] = [];
  const { asked } = work(
    tasksOf(400),
    async () => {
      throw new Error('x'.repeat(900), { cause: 'y' });
    },
    (patches) => (sizes.push(JSON.stringify(patches).length), taken(patches)),
    { concurrency: 400 },
  );
  await vi.waitFor(
    () => expect(asked.flatMap(({ patches }) => patches).filter((it) => it.endsWith(' failed'))).toHaveLength(400),
    { timeout: 10_000 },
  );
  expect(Math.max(...sizes)).toBeLessThan(300_000);
});
