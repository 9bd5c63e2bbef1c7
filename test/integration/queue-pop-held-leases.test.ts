import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../src/queue/schema/migrations.ts';
import type { PopRequest } from '../../src/queue/queue.ts';
import { createTaskQueue, type RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { createDatabase } from '../support/database.ts';
import { boefjeTask } from '../support/queue.ts';

let database: { url: string; drop(): Promise<void> };
let queue: RunningTaskQueue;

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  queue = createTaskQueue({ databaseUrl: database.url, connections: 4, leasesOfClient: 20 });
});
afterAll(async () => {
  await queue.drain();
  await database.drop();
});

const pop = (holder: string, limit: number, via: 'nats' | 'rest' = 'nats') => {
  const request: PopRequest = { limit, filters: null, waitMs: 0, leaseMs: 60_000, via, worker: null, holder };
  return queue.pop('boefje', request);
};

test('a client that takes tasks and never reports leaves the rest to others, and goes on once it has settled some', async () => {
  await queue.push(
    'boefje',
    Array.from({ length: 100 }, (_, at) => boefjeTask(`ooi-${at}`)),
  );
  const held = [...(await pop('silent', 10)), ...(await pop('silent', 10))];
  expect(held).toHaveLength(20);
  await expect(pop('silent', 1)).rejects.toThrow(/hold more than 20 tasks \(SCHEDULER_CLIENT_LEASES\)/);
  await expect(pop('silent', 1, 'rest')).rejects.toMatchObject({ code: 'MAILBOX_FULL' });
  expect(await pop('another', 10)).toHaveLength(10);
  await queue.patch(held.slice(0, 10).map(({ id, leaseId }) => ({ id, leaseId, via: 'nats', status: 'completed' })));
  // Counted again a quarter of a second after the last count.
  await expect.poll(() => pop('silent', 5).catch(() => []), { timeout: 10_000 }).toHaveLength(5);
});
