import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { createTaskQueue, type RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { createDatabase } from '../support/database.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

/** What a worker may do to tasks: with the lease that it was handed, and to nothing else, in whatever state that is. */
let database: { url: string; drop(): Promise<void> };
let queue: RunningTaskQueue;
let wire: Wire;

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
beforeEach(async () => {
  queue = createTaskQueue({ databaseUrl: database.url, connections: 4 });
  queue.start();
  wire = await startWire({ natsUrl: inject('natsUrl'), queue });
});
afterEach(async () => {
  await wire.stop();
  await queue.drain();
});
afterAll(() => database.drop());

async function ask(subject: string, body: object) {
  const reply = await wire.connection.request(`${wire.prefix}.${subject}`, JSON.stringify(body), { timeout: 20_000 });
  return reply.json<{ error?: { status: number; detail: string }; results?: { error?: { status: number } }[] }>();
}

/** A task of another user in each state that one may be in. */
const states: Readonly<Record<string, () => Promise<string>>> = {
  queued: async () => (await wire.client.push('boefje', boefjeTask('aa', randomUUID()))).id,
  dispatched: async () => (await popped()).id,
  running: async () => settled('running'),
  completed: async () => settled('completed'),
  failed: async () => settled('failed'),
  cancelled: async () => settled('cancelled'),
  'dispatched over REST': async () => {
    const id = await states['queued']!();
    const filters = { filters: [{ column: 'organisation', operator: '==' as const, value: 'aa' }] };
    const claim = { limit: 100, filters, waitMs: 0, leaseMs: 60_000, via: 'rest', worker: null } as const;
    await queue.pop('boefje', claim);
    return id;
  },
};

async function popped() {
  await states['queued']!();
  const [task] = await wire.client.pop('boefje');
  return task!;
}

async function settled(status: 'running' | 'completed' | 'failed' | 'cancelled') {
  const { id, lease_id } = await popped();
  await wire.client.patch({ id, lease_id, status });
  return id;
}

const everyStatus = ['pending', 'queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled'];

test.for(Object.keys(states))('a task that is %s is neither read nor changed without its lease', async (state) => {
  const id = await states[state]!();
  const before = await queue.get(id);
  for (const lease of [{}, { lease_id: null }, { lease_id: randomUUID() }]) {
    expect(await ask('task.get', { id, ...lease })).toMatchObject({ error: { status: 409 } });
    for (const status of everyStatus) {
      const refused = { error: { status: 409, detail: expect.stringContaining(id) } };
      expect(await ask('task.patch', { id, status, ...lease }), status).toMatchObject(refused);
      expect(await ask('task.patch', { patches: [{ id, status, ...lease }] }), status).toMatchObject({
        results: [refused],
      });
    }
  }
  expect(await queue.get(id)).toBe(before);
});

test('a set is done as far as its leases are held', async () => {
  const [mine, other] = [await popped(), await states['queued']!()];
  const { results } = await ask('task.patch', {
    patches: [
      { id: other, status: 'cancelled' },
      { id: mine.id, lease_id: mine.lease_id, status: 'completed' },
    ],
  });
  expect(results).toMatchObject([{ error: { status: 409 } }, { id: mine.id, status: 'completed' }]);
});

test('a worker reads what it holds, and what it was the last to end', async () => {
  const { id, lease_id } = await popped();
  expect(await wire.client.get({ id, lease_id })).toMatchObject({ id, status: 'dispatched' });
  await wire.client.patch({ id, lease_id, status: 'completed' });
  expect(await wire.client.get({ id: id.toUpperCase(), lease_id })).toMatchObject({ id, status: 'completed' });
  expect(await wire.client.get({ id: randomUUID(), lease_id })).toBeNull();
});

test('the lease of one task opens no other', async () => {
  const [one, two] = [await popped(), await popped()];
  expect(await ask('task.get', { id: two.id, lease_id: one.lease_id })).toMatchObject({ error: { status: 409 } });
  const stolen = { id: two.id, lease_id: one.lease_id, status: 'completed' };
  expect(await ask('task.patch', stolen)).toMatchObject({ error: { status: 409 } });
});
