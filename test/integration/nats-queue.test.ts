import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { connectNats } from '../../src/nats/connect.ts';
import { createWake } from '../../src/nats/notifications.ts';
import { runWorker } from '../../src/nats/worker.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { createTaskQueue, type RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { createRanking, createTaskRanking, type Ranking } from '../../src/ranking/pool.ts';
import { readRankers } from '../../src/supervisor/catalog.ts';
import type { Task } from '../../src/tasks/task.ts';
import { createDatabase } from '../support/database.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

/** Two supervisors' worth of queue and service on one Postgres and one NATS, ranked by the pool. */
let database: { url: string; drop(): Promise<void> };
let ranking: Ranking;
let queues: RunningTaskQueue[];
let wires: Wire[];
let one: Wire;
let two: Wire;

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  const files = await readRankers(new URL('../../actors/rankers/', import.meta.url));
  ranking = createRanking({ files, threads: 1, deadlineMs: 10_000 });
});
beforeEach(async () => {
  queues = [];
  wires = [];
  const prefix = `rota-${randomUUID()}`;
  for (const instance of ['one', 'two']) {
    const connection = await connectNats({ servers: inject('natsUrl') });
    const queue = createTaskQueue({
      databaseUrl: database.url,
      connections: 4,
      ranking: await createTaskRanking({
        ranking,
        rankers: new Map([['boefje', 'fair-share']]),
        gracePeriodSeconds: 86_400,
        now: Date.now,
      }),
      wake: createWake({ connection, prefix, instance }),
    });
    queue.start();
    await connection.flush();
    queues.push(queue);
    wires.push(await startWire({ natsUrl: inject('natsUrl'), queue, prefix, instance }));
  }
  [one, two] = wires as [Wire, Wire];
});
afterEach(async () => {
  await Promise.all(wires.map((wire) => wire.stop()));
  await Promise.all(queues.map((queue) => queue.drain()));
});
afterAll(async () => {
  await ranking.close();
  await database.drop();
});

const held = ({ id, lease_id }: { id: string; lease_id: string }) => ({ id, lease_id });

test('a task goes its whole way over NATS and Postgres, and its lease fences it', async () => {
  const pushed = await one.client.push('boefje', boefjeTask('aa', 'whole-way'));
  expect(pushed).toMatchObject({ status: 'queued', type: 'boefje', priority: 1_001, organisation: 'aa' });
  const [task] = await two.client.pop('boefje', { worker: 'w1' });
  expect(task).toMatchObject({ id: pushed.id, status: 'dispatched', attempts: 1, hash: pushed.hash });
  await expect(one.client.patch({ id: task!.id, lease_id: randomUUID(), status: 'completed' })).rejects.toMatchObject({
    code: 'LEASE_LOST',
  });
  expect(await one.client.heartbeat([held(task!)])).toEqual({ renewed: [task!.id], lost: [] });
  expect((await one.client.patch({ ...held(task!), status: 'running' })).status).toBe('running');
  expect((await one.client.patch({ ...held(task!), status: 'completed' })).status).toBe('completed');
  expect(await one.client.heartbeat([held(task!)])).toEqual({ renewed: [], lost: [task!.id] });
});

test('what one supervisor queues reaches a pop that waits at the other', async () => {
  const waiting = wires.flatMap((wire) =>
    Array.from({ length: 10 }, () => wire.client.pop('boefje', { wait_ms: 20_000 })),
  );
  await vi.waitFor(() => expect(queues.map((queue) => queue.parked().get('boefje') ?? 0).reduce(sum)).toBe(20));
  const tasks = Array.from({ length: 20 }, (_, at) => boefjeTask('aa', `wake-${at}`));
  await one.client.push('boefje', tasks);
  const popped = (await Promise.all(waiting)).flat();
  expect(new Set(popped.map((task) => task.id)).size).toBe(20);
  await one.client.patch(popped.map((task) => ({ ...held(task), status: 'completed' as const })));
});

const sum = (a: number, b: number) => a + b;

test('a burst in one organisation lets another’s task through; a person’s goes first', async () => {
  const burst = Array.from({ length: 50 }, (_, at) => boefjeTask('busy', `fair-${at}`));
  await one.client.push('boefje', burst);
  await one.client.push('boefje', boefjeTask('quiet', 'fair-quiet'));
  await one.client.push('boefje', { ...boefjeTask('busy', 'fair-person'), priority: 1 });
  const popped = await two.client.pop('boefje', { limit: 3 });
  expect(popped[0]!.data['input_ooi']).toBe('fair-person');
  expect(popped.slice(1).map((task) => task.organisation)).toContain('quiet');
  const rest = await two.client.pop('boefje', { limit: 100 });
  expect(rest).toHaveLength(49);
  await one.client.patch([...popped, ...rest].map((task) => ({ ...held(task), status: 'completed' as const })));
});

test('a task whose data a set gets wrong, or that is queued already, is refused alone', async () => {
  const results = await one.client.push('boefje', [
    boefjeTask('aa', 'set'),
    boefjeTask('aa', 'set'),
    { organisation: 'aa', data: {} },
  ]);
  expect(results).toMatchObject([
    { status: 'queued' },
    { error: { code: 'CONFLICT' } },
    { error: { code: 'INVALID_REQUEST' } },
  ]);
  const filters = { filters: [{ column: 'organisation', operator: '==' as const, value: 'aa' }] };
  const popped = await one.client.pop('boefje', { limit: 10, filters });
  expect(popped.map((task) => task.data['input_ooi'])).toEqual(['set']);
  await one.client.patch(popped.map((task) => ({ ...held(task), status: 'failed' as const })));
});

test('workers at both supervisors complete everything once; one that stops gives back what it holds', async () => {
  const count = 200;
  const tasks = Array.from({ length: count }, (_, at) => boefjeTask(`org-${at % 5}`, `many-${at}`));
  const done = new Map<string, number>();
  const stuck = runWorker({
    client: one.client,
    scheduler: 'boefje',
    concurrency: 5,
    waitMs: 500,
    handle: () => new Promise(() => {}),
  });
  await one.client.push('boefje', tasks);
  await vi.waitFor(() => expect(stuck.inHand()).toBe(5));
  await stuck.stop();
  const workers = wires.map((wire) =>
    runWorker({
      client: wire.client,
      scheduler: 'boefje',
      concurrency: 10,
      waitMs: 500,
      handle: async (task) => done.set(task.id, (done.get(task.id) ?? 0) + 1),
    }),
  );
  await vi.waitFor(() => expect(done.size).toBe(count), { timeout: 20_000 });
  await Promise.all(workers.map((worker) => worker.stop({ finishMs: 5_000 })));
  expect([...done.values()].every((times) => times === 1)).toBe(true);
  const statuses = await Promise.all([...done.keys()].map((id) => queues[0]!.get(id)));
  expect(new Set(statuses.map((task) => (JSON.parse(task!) as Task).status))).toEqual(new Set(['completed']));
});

test('what comes again is answered as the first time: a push with its id, which its data need not name, and a report', async () => {
  const push = { ...boefjeTask('aa', 'again'), id: randomUUID() };
  const first = await one.client.push('boefje', push);
  expect(first).toMatchObject({ id: push.id, status: 'queued', data: { id: push.id } });
  expect(await two.client.push('boefje', push)).toEqual(first);
  const [task] = await two.client.pop('boefje');
  const report = { ...held(task!), status: 'completed' } as const;
  const done = await one.client.patch(report);
  expect(await two.client.patch(report)).toEqual(done);
  expect(await two.client.patch([report])).toEqual([{ id: push.id, status: 'completed' }]);
  expect(await one.client.push('boefje', push)).toEqual(done);
  const other = { ...push, organisation: 'bb' };
  await expect(one.client.push('boefje', other)).rejects.toMatchObject({ code: 'CONFLICT' });
  const set = await one.client.push('boefje', [push, other, { ...boefjeTask('aa', 'new'), id: randomUUID() }]);
  expect(set).toMatchObject([
    { id: push.id, status: 'completed' },
    { error: { code: 'CONFLICT' } },
    { status: 'queued' },
  ]);
  await one.client.pop('boefje');
});

test('a set that asks for no tasks is answered with ids and states: of new tasks, of repeats, beside what was refused', async () => {
  const known = await one.client.push('boefje', { ...boefjeTask('brief', 'known'), id: randomUUID() });
  const repeated = { ...boefjeTask('brief', 'known'), id: known.id };
  const named = { ...boefjeTask('brief', 'new'), id: randomUUID() };
  const twin = boefjeTask('brief', 'new');
  const unfit = { organisation: 'brief', data: { boefje: {} } };
  const results = await one.client.push('boefje', [named, repeated, twin, unfit], { brief: true });
  expect(results).toEqual([
    { id: named.id, status: 'queued' },
    { id: known.id, status: 'queued' },
    { error: expect.objectContaining({ code: 'CONFLICT' }) },
    { error: expect.objectContaining({ detail: expect.stringMatching(/^tasks\.3\.data\.boefje\.id: /) }) },
  ]);
  const [whole] = await two.client.push('boefje', [repeated]);
  expect(whole).toEqual(known);
});
