import { randomUUID } from 'node:crypto';
import { RequestStrategy } from 'nats';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { RotaError } from '../../src/errors.ts';
import type { RotaClient } from '../../src/nats/client.ts';
import { command, commandRunner } from '../../src/control/operator-command.ts';
import { MemoryQueue } from '../support/memory-queue.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

/** The service on a real NATS server, before a queue double: test/support/memory-queue.ts says why. */
let wire: Wire;
let queue: MemoryQueue;
let client: RotaClient;
let prefix: string;
const echo = command('read', z.strictObject({ say: z.string() }), async (body, { by }) => ({ said: body.say, by }));
const ctl = commandRunner({ echo }, () => {});

beforeEach(async () => {
  queue = new MemoryQueue();
  wire = await startWire({ natsUrl: inject('natsUrl'), queue, ctl });
  ({ client, prefix } = wire);
});
afterEach(() => wire.stop());

test('a task goes its whole way over NATS: pushed, popped with a lease, running, completed', async () => {
  const pushed = await client.push('boefje', boefjeTask('aa', 'example.com'));
  expect(pushed).toMatchObject({ organisation: 'aa', status: 'queued', scheduler_id: 'boefje' });
  const [popped] = await client.pop('boefje', { worker: 'w1' });
  expect(popped).toMatchObject({ ...pushed, status: 'dispatched', attempts: 1, modified_at: popped!.modified_at });
  const lease = { id: popped!.id, lease_id: popped!.lease_id };
  expect(await client.heartbeat([lease])).toEqual({ renewed: [popped!.id], lost: [] });
  expect((await client.patch({ ...lease, status: 'running' })).status).toBe('running');
  expect((await client.patch({ ...lease, status: 'completed' })).status).toBe('completed');
  expect((await client.get(lease))?.status).toBe('completed');
});

test('a request that a supervisor behind a dead link swallowed is asked again, and answered by another', async () => {
  await client.push('boefje', boefjeTask('aa', 'example.com'));
  const [popped] = await client.pop('boefje', { worker: 'w1' });
  const lease = { id: popped!.id, lease_id: popped!.lease_id };
  const swallows: readonly [string, () => Promise<unknown>][] = [
    ['task.get', () => client.get(lease)],
    ['task.heartbeat', () => client.heartbeat([lease])],
    ['task.patch', () => client.patch({ ...lease, status: 'running' })],
    ['push.boefje', () => client.push('boefje', boefjeTask('aa', randomUUID()))],
  ];
  await Promise.all(
    swallows.map(async ([subject, ask]) => {
      let swallowed = 0;
      const deaf = client.connection.subscribe(`${prefix}.${subject}`, {
        queue: prefix,
        max: 1,
        callback: () => void (swallowed += 1),
      });
      await client.connection.flush();
      // The server picks a member at random: of 20 it picks this one, but for once in a million runs.
      const answers = await Promise.all(Array.from({ length: 20 }, ask));
      expect([swallowed, answers.length]).toEqual([1, 20]);
      deaf.unsubscribe();
    }),
  );
});

test('a pop waits for a task without holding up other requests', async () => {
  const waits = Array.from({ length: 50 }, () => client.pop('boefje', { wait_ms: 20_000 }));
  expect(await client.pop('boefje')).toEqual([]);
  await client.push(
    'boefje',
    Array.from({ length: 50 }, (_, at) => boefjeTask('aa', `host-${at}`)),
  );
  const popped = await Promise.all(waits);
  expect(new Set(popped.flat().map((task) => task.id)).size).toBe(50);
});

test('a set answers one result per task: the task, or why it was refused', async () => {
  const results = await client.push('boefje', [
    boefjeTask('aa', 'one'),
    boefjeTask('aa', 'one'),
    { organisation: 'aa', data: { boefje: {} } },
  ]);
  expect(results[0]).toMatchObject({ status: 'queued' });
  expect(results[1]).toMatchObject({ error: { code: 'CONFLICT', status: 409 } });
  expect(results[2]).toMatchObject({ error: { code: 'INVALID_REQUEST', status: 422 } });
  expect(results[2]).toMatchObject({ error: { detail: expect.stringContaining('tasks.2.data.boefje.id') } });
});

test('a set of patches answers what each task is now, or why it was refused', async () => {
  await client.push('boefje', [boefjeTask('aa', 'one'), boefjeTask('aa', 'two')]);
  const [one, two] = await client.pop('boefje', { limit: 2 });
  const results = await client.patch([
    { id: one!.id, lease_id: one!.lease_id, status: 'completed' },
    { id: two!.id, lease_id: randomUUID(), status: 'completed' },
  ]);
  expect(results).toEqual([
    { id: one!.id, status: 'completed' },
    { error: expect.objectContaining({ code: 'LEASE_LOST', status: 409 }) },
  ]);
});

test('secrets in the data of a pushed task are dropped at the edge', async () => {
  const task = boefjeTask('aa', 'one');
  await client.push('boefje', { ...task, data: { ...task.data, environment: { API_KEY: 'secret' } } });
  expect(JSON.stringify([...queue.rows.values()])).not.toContain('secret');
});

test.each([
  ['pop.boefje', { limit: 'many' }, 422, /limit: expected number/],
  ['pop.boefje', { limt: 3 }, 422, /limt/],
  ['pop.boefje', { filters: { filters: [{ column: 'x', operator: '~~', value: 1 }] } }, 422, /filters/],
  ['pop.absent', {}, 404, /no scheduler absent; there are: boefje, report/],
  ['push.boefje', { organisation: 'aa' }, 422, /data: expected record/],
  ['push.boefje', { ...boefjeTask('aa', 'x'), priority: 2_147_483_648 }, 422, /priority/],
  ['push.boefje', { ...boefjeTask('aa', 'x'), scheduler_id: 'report' }, 422, /scheduler_id: expected boefje/],
  ['task.get', { id: 'seven' }, 422, /id: /],
  ['task.get', { id: randomUUID() }, 409, /name the lease_id/],
  ['task.get', { id: randomUUID(), lease_id: randomUUID() }, 404, /no task/],
  ['task.patch', { id: randomUUID(), status: 'done' }, 422, /status: /],
  ['task.heartbeat', {}, 422, /leases: expected array/],
  ['ctl.echo', { say: 1 }, 422, /say: expected string/],
  ['ctl.dance', {}, 404, /no command dance; there are: echo/],
])('%s answers a wrong request with its status and the field at fault (%o)', async (subject, body, status, text) => {
  const reply = await client.connection.request(`${prefix}.${subject}`, JSON.stringify(body));
  expect(reply.headers?.get('Nats-Service-Error-Code')).toBe(String(status));
  expect(reply.headers?.get('Nats-Service-Error')).toMatch(text);
  expect(reply.json<{ error: { detail: string } }>().error.detail).toMatch(text);
});

test('a body that is not JSON is refused as such', async () => {
  const reply = await client.connection.request(`${prefix}.pop.boefje`, '{limit');
  expect(reply.headers?.get('Nats-Service-Error')).toBe('body: expected JSON');
});

test('a client reads the code of an error: a lost lease is LEASE_LOST, not just 409', async () => {
  await client.push('boefje', boefjeTask('aa', 'one'));
  const [task] = await client.pop('boefje');
  const patch = client.patch({ id: task!.id, lease_id: randomUUID(), status: 'completed' });
  await expect(patch).rejects.toMatchObject({ code: 'LEASE_LOST' });
});

test('the caller gets the number of an unforeseen error, and only the log its text', async () => {
  queue.getHeld = () => Promise.reject(new Error('password=hunter2'));
  await expect(client.get({ id: randomUUID(), lease_id: randomUUID() })).rejects.toMatchObject({
    code: 'BROKEN',
    message: expect.stringMatching(/^internal error [0-9a-f-]{36}$/),
  });
});

/** A task of `bytes` bytes. */
const large = (ooi: string, bytes: number) => {
  const task = boefjeTask('aa', ooi);
  return { ...task, data: { ...task.data, dispatches: ['x'.repeat(bytes)] } };
};

test('a reply larger than max_payload hands out what fits; the rest stays queued', async () => {
  const pushes = Array.from({ length: 30 }, (_, at) => large(`${at}`, 100_000));
  await client.push('boefje', pushes);
  const seen = new Set<string>();
  for (let pops = 0; seen.size < 30; pops += 1) {
    expect(pops).toBeLessThan(10);
    const popped = await client.pop('boefje', { limit: 30 });
    for (const task of popped) seen.add(task.id);
    const states = [...queue.rows.values()].filter((row) => row.status === 'dispatched');
    expect(states).toHaveLength(seen.size);
  }
  // Once the size of a unit is known, no more is claimed than fits: only the first pop gave tasks back, and they were
  // claimed once as far as a client can see.
  expect([...queue.rows.values()].map((row) => row.attempts)).toEqual(Array.from({ length: 30 }, () => 1));
  expect(queue.givenBack).toBeLessThan(30);
});

test('what fits reaches its worker although the database hangs by the time that the rest goes back, or fails', async () => {
  const pushes = Array.from({ length: 12 }, (_, at) => large(`${at}`, 100_000));
  await client.push('boefje', pushes);
  await queue.push('boefje', [large('x', 2_000_000)]);
  const hung: string[] = [];
  queue.giveBack = () => (hung.push('give back'), new Promise(() => {}));
  queue.patch = () => (hung.push('fail'), new Promise(() => {}));
  expect((await client.pop('boefje', { limit: 30 })).length).toBeGreaterThan(0);
  expect(hung).toEqual(['give back', 'fail']);
});

test('a task that can never fit into a message fails instead of blocking the head of the queue', async () => {
  await queue.push('boefje', [large('x', 2_000_000), boefjeTask('aa', 'small')]);
  expect((await client.pop('boefje'))[0]?.data['input_ooi']).toBe('small');
  expect([...queue.rows.values()][0]?.status).toBe('failed');
});

test('a pop that brings patches settles them, answers each, and waits for no task', async () => {
  await client.push(
    'boefje',
    ['a', 'b', 'c'].map((ooi) => boefjeTask('aa', ooi)),
  );
  const [one, two] = await client.pop('boefje', { limit: 2 });
  const lease = (task: typeof one) => ({ id: task!.id, lease_id: task!.lease_id });
  const patches = [
    { ...lease(one), status: 'completed' },
    { ...lease(two), lease_id: randomUUID(), status: 'completed' },
  ] as const;
  const next = await client.settleAndPop('boefje', patches, { limit: 5 });
  expect(next.results.map(({ data }) => data['input_ooi'])).toEqual(['c']);
  expect(next.settled).toMatchObject([{ id: one!.id, status: 'completed' }, { error: { code: 'LEASE_LOST' } }]);
  expect([...queue.rows.values()].map(({ status }) => status)).toEqual(['completed', 'dispatched', 'dispatched']);

  const failed = { ...lease(two), status: 'failed', error: { message: 'no route' } } as const;
  const began = performance.now();
  const empty = await wire.connection.request(
    `${prefix}.pop.boefje`,
    JSON.stringify({ wait_ms: 30_000, patches: [failed] }),
    { timeout: 20_000 },
  );
  expect(empty.json()).toEqual({ results: [], settled: [{ id: two!.id, status: 'failed' }] });
  expect(performance.now() - began).toBeLessThan(15_000);
});

test('of a pop that brings patches neither half takes the other down', async () => {
  await client.push(
    'boefje',
    ['a', 'b', 'c'].map((ooi) => boefjeTask('aa', ooi)),
  );
  const [one] = await client.pop('boefje');
  const patch = { id: one!.id, lease_id: one!.lease_id, status: 'completed' } as const;
  const settles = queue.patch.bind(queue);
  queue.patch = () => Promise.reject(new RotaError('DATABASE_UNAVAILABLE', 'away'));
  const next = await client.settleAndPop('boefje', [patch]);
  expect(next.results).toHaveLength(1);
  expect(next.settled).toMatchObject([{ error: { code: 'DATABASE_UNAVAILABLE' } }]);

  queue.patch = settles;
  queue.pop = () => Promise.reject(new RotaError('FILTER_TOO_SLOW', 'narrow the filter'));
  await expect(client.settleAndPop('boefje', [patch])).rejects.toMatchObject({ code: 'FILTER_TOO_SLOW' });
  expect(queue.rows.get(one!.id)?.status).toBe('completed');

  const wrong = [patch, { ...patch, status: 'done' as 'completed' }];
  await expect(client.settleAndPop('boefje', wrong)).rejects.toThrow(/^patches\.1\.status: /);
  const many = Array.from({ length: 1_001 }, () => patch);
  await expect(client.settleAndPop('boefje', many)).rejects.toThrow(/^patches: /);
});

test('beside a thousand patches a task that fits into an answer of its own goes back, and does not fail', async () => {
  const most = wire.connection.info!.max_payload;
  // The double's hash holds its data once more.
  await queue.push('boefje', [large('x', most / 2 - 20_000)]);
  const patch = { id: randomUUID(), lease_id: randomUUID(), status: 'completed' } as const;
  const patches = Array.from({ length: 1_000 }, () => patch);
  const next = await client.settleAndPop('boefje', patches);
  expect(next.results).toEqual([]);
  expect(next.settled).toHaveLength(1_000);
  expect(await client.pop('boefje', { wait_ms: 10_000 })).toHaveLength(1);
});

test('ctl commands reach any supervisor, or the one that is named, with the name of the caller', async () => {
  expect(await client.ctl('echo', { say: 'hi' }, { by: 'ann' })).toEqual({ said: 'hi', by: 'ann' });
  expect(await client.ctl('echo', { say: 'hi' }, { instance: 'one' })).toEqual({ said: 'hi', by: null });
  await expect(client.ctl('echo', { say: 'hi' }, { instance: 'two' })).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
  });
  expect(await client.instances()).toEqual(['one']);
});

test('the nats tools see the service: PING, INFO and STATS', async () => {
  const tools = client.connection.services.client({ strategy: RequestStrategy.Count, maxMessages: 1, maxWait: 5_000 });
  for await (const pong of await tools.ping(prefix)) expect(pong).toMatchObject({ name: prefix, version: '0.1.0' });
  for await (const info of await tools.info(prefix)) {
    expect(info.endpoints?.map((endpoint) => endpoint.subject)).toEqual(
      ['pop.*', 'push.*', 'task.get', 'task.patch', 'task.heartbeat', 'ctl.*', 'ctl.one.*'].map(
        (s) => `${prefix}.${s}`,
      ),
    );
    const [pop] = info.endpoints ?? [];
    expect(pop?.metadata?.['asyncapi']).toBe('/asyncapi.json#/operations/pop');
    const schema = JSON.parse(pop!.metadata!['schema']!) as { properties: object };
    expect(Object.keys(schema.properties)).toEqual(['limit', 'filters', 'wait_ms', 'lease_ms', 'worker', 'patches']);
  }
  await client.pop('boefje');
  await wire.connection.request(`${prefix}.pop.boefje`, '{"limit":0}');
  await wire.connection.request(`${prefix}.pop.nothing`);
  for await (const stats of await tools.stats(prefix)) {
    const of = (name: string) => stats.endpoints?.find((endpoint) => endpoint.name === name);
    expect(of('pop')).toMatchObject({ num_requests: 3, num_errors: 2, data: { in_flight: 0 } });
    expect(of('pop')?.last_error).toMatch(/^404:no scheduler nothing; there are:/);
    expect(of('push')).toMatchObject({ num_errors: 0 });
    expect(of('push')?.last_error).toBeUndefined();
  }
});

test('a body that nests too deep is refused before anything walks through it', async () => {
  const message = await wire.connection.request(`${prefix}.push.boefje`, `{"data":${'['.repeat(20_000)}`);
  expect(message.json()).toMatchObject({
    error: { code: 'INVALID_REQUEST', detail: expect.stringContaining('nests deeper') },
  });
});
