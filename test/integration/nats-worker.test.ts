import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import type { RotaClient } from '../../src/nats/client.ts';
import { runWorker, type Worker, type WorkerOptions } from '../../src/nats/worker.ts';
import { MemoryQueue } from '../support/memory-queue.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

let queue: MemoryQueue;
let wire: Wire;
let client: RotaClient;
let worker: Worker | undefined;

beforeEach(async () => {
  queue = new MemoryQueue();
  wire = await startWire({ natsUrl: inject('natsUrl'), queue });
  client = wire.client;
});
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
  await wire.stop();
});

function work(handle: WorkerOptions['handle'], options: Partial<WorkerOptions> = {}): Worker {
  worker = runWorker({ client, scheduler: 'boefje', concurrency: 4, waitMs: 200, handle, ...options });
  return worker;
}

const pushMany = (count: number) =>
  client.push(
    'boefje',
    Array.from({ length: count }, (_, at) => boefjeTask('aa', `host-${at}`)),
  );
const statuses = () => [...queue.rows.values()].map((row) => row.status);

test('a worker completes what its handler finishes, fails what it throws on, and never runs more than its concurrency', async () => {
  let running = 0;
  let most = 0;
  await pushMany(20);
  work(async (task) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (task.data['input_ooi'] === 'host-7') throw new Error('no route');
  });
  await vi.waitFor(() => expect(statuses().filter((status) => status === 'completed')).toHaveLength(19), {
    timeout: 10_000,
  });
  await vi.waitFor(() => expect(statuses()[7]).toBe('failed'));
  expect(most).toBe(4);
});

test('a group larger than the concurrency is handled all the same', async () => {
  const tasks = Array.from({ length: 6 }, (_, at) => boefjeTask(`org-${at}`, 'host'));
  await client.push(
    'boefje',
    tasks.map((task) => ({ ...task, data: { ...task.data, deduplication_key: 'k' } })),
  );
  work(async () => {}, { concurrency: 2 });
  await vi.waitFor(() => expect(statuses()).toEqual(Array(6).fill('completed')));
});

test('a handler whose lease is lost is aborted, and its outcome is not reported', async () => {
  await pushMany(1);
  const started = Promise.withResolvers<AbortSignal>();
  work(
    (_task, signal) => {
      started.resolve(signal);
      return new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
    { leaseMs: 300 },
  );
  const signal = await started.promise;
  queue.expired.add([...queue.rows.keys()][0]!);
  await vi.waitFor(() => expect(signal.aborted).toBe(true));
  expect(signal.reason).toMatchObject({ code: 'LEASE_LOST' });
  await vi.waitFor(() => expect(worker!.inHand()).toBe(0));
  expect(statuses()).toEqual(['running']);
});

test('a stop gives back the held tasks: begun or not, they are queued again at once', async () => {
  await client.push(
    'boefje',
    ['aa', 'bb'].map((org) => ({
      ...boefjeTask(org, 'host'),
      data: { ...boefjeTask(org, 'host').data, deduplication_key: 'k' },
    })),
  );
  const started = Promise.withResolvers<void>();
  const stopped = work(() => (started.resolve(), new Promise(() => {})), { concurrency: 1 });
  await started.promise;
  await stopped.stop();
  expect(statuses()).toEqual(['queued', 'queued']);
});

test('a stop with time to finish lets handlers complete', async () => {
  await pushMany(1);
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const stopped = work(() => (started.resolve(), finish.promise));
  await started.promise;
  const stop = stopped.stop({ finishMs: 10_000 });
  finish.resolve();
  await stop;
  expect(statuses()).toEqual(['completed']);
});

test('a worker outlives an outage of the database: it reports what it had finished once that is over', async () => {
  await pushMany(1);
  const patch = queue.patch.bind(queue);
  const failed = Promise.withResolvers<void>();
  const outage = Object.assign(new Error('database away'), { code: 'DATABASE_UNAVAILABLE' });
  work(async () => {
    queue.patch = () => (failed.resolve(), Promise.reject(outage));
  });
  await failed.promise;
  queue.patch = patch;
  await vi.waitFor(() => expect(statuses()).toEqual(['completed']));
});
