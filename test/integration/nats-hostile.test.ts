import { randomUUID } from 'node:crypto';
import { headers, type Msg, type NatsConnection, createInbox } from 'nats';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { connectNats } from '../../src/nats/connect.ts';
import { command, commandRunner } from '../../src/control/operator-command.ts';
import { next } from '../../src/telemetry/events.ts';
import { MemoryQueue } from '../support/memory-queue.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

/** What a client that may publish here could do to the supervisor and to the others, on a real NATS server. */
let wire: Wire;
let queue: MemoryQueue;
let hostile: NatsConnection;
const giant = command('read', z.strictObject({}), async () => 'x'.repeat(2_000_000));
const ctl = commandRunner({ giant }, () => {});

beforeEach(async () => {
  queue = new MemoryQueue();
  wire = await startWire({ natsUrl: inject('natsUrl'), queue, ctl, clients: { pops: 50, filters: 5, requests: 40 } });
  hostile = await connectNats({ servers: inject('natsUrl') });
});
afterEach(async () => {
  await hostile.close();
  await wire.stop();
});

const ask = (subject: string, body: unknown): Promise<Msg> =>
  hostile.request(`${wire.prefix}.${subject}`, typeof body === 'string' ? body : JSON.stringify(body), {
    timeout: 20_000,
  });
const statusOf = (reply: Msg) => Number(reply.headers?.get('Nats-Service-Error-Code') || 200);
const detailOf = (reply: Msg) => reply.json<{ error: { detail: string } }>().error.detail;

const megabyte = 1_000_000;
const id = randomUUID();
const many = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));

test.each<[string, string, unknown]>([
  ['one unknown key of 1 MB', 'task.get', { ['k'.repeat(megabyte)]: 1 }],
  ['80 000 unknown keys', 'task.get', Object.fromEntries(many(80_000, (at) => [`k${at}`, 1]))],
  ['an id of 1 MB', 'task.get', { id: 'i'.repeat(megabyte) }],
  ['an unknown key of 1 MB beside a pop', 'pop.boefje', { ['k'.repeat(megabyte)]: 1 }],
  ['300 000 empty filters', 'pop.boefje', { filters: { filters: many(300_000, () => ({})) } }],
  ['300 000 empty filters in a group', 'pop.boefje', { filters: { filters: { or: many(300_000, () => ({})) } } }],
  ['300 000 leases that are none', 'task.heartbeat', { leases: many(300_000, () => 1) }],
  ['300 000 patches that are none', 'task.patch', { patches: many(300_000, () => 1) }],
  [
    '1 000 patches with a key of 900 characters',
    'task.patch',
    { patches: many(1_000, () => ({ ['k'.repeat(900)]: 1 })) },
  ],
  [
    'a push of 300 000 mime types',
    'push.normalizer',
    { organisation: 'a', data: { raw_data: { mime_types: many(300_000, () => 1) } } },
  ],
  ['a status of 1 MB', 'task.patch', { id, status: 's'.repeat(megabyte) }],
  ['a command’s unknown key of 1 MB', 'ctl.giant', { ['k'.repeat(megabyte)]: 1 }],
])('%s gets a short answer at once, and the next one is answered', async (_what, subject, body) => {
  const began = performance.now();
  const reply = await ask(subject, body);
  expect(performance.now() - began).toBeLessThan(2_000);
  expect([404, 422]).toContain(statusOf(reply));
  expect(reply.data.length).toBeLessThan(8_192);
  expect(statusOf(await ask('pop.boefje', {}))).toBe(200);
});

test.each([
  ['organisation', 'push.boefje', { ...boefjeTask('o'.repeat(1_025), 'x') }],
  ['scheduler_id', 'push.boefje', { ...boefjeTask('aa', 'x'), scheduler_id: 's'.repeat(1_025) }],
  ['worker', 'pop.boefje', { worker: 'w'.repeat(1_025) }],
])('a %s of more than its bound is refused by name', async (field, subject, body) => {
  const reply = await ask(subject, body);
  expect(statusOf(reply)).toBe(422);
  expect(detailOf(reply)).toContain(`${field}: `);
});

test('headers of 1 MB are refused unread, and so are bodies that are larger than any of their endpoint', async () => {
  const sent = headers();
  sent.set('Rota-By', 'b'.repeat(megabyte));
  const reply = await hostile.request(`${wire.prefix}.pop.boefje`, '{"wait_ms":60000}', {
    headers: sent,
    timeout: 5_000,
  });
  expect([statusOf(reply), detailOf(reply)]).toEqual([422, 'headers: at most 4096 bytes, with the subjects']);
  const valid = (bytes: number) => `{"id":"${id}"${' '.repeat(bytes)}}`;
  for (const [subject, body, most] of [
    ['task.get', valid(1_024), 1_024],
    ['task.heartbeat', `{"leases":[${valid(262_144)}]}`, 262_144],
    ['task.patch', valid(262_144), 262_144],
    ['pop.boefje', `{${' '.repeat(800_000)}}`, 786_432],
    ['ctl.giant', `{${' '.repeat(262_144)}}`, 262_144],
  ] as const) {
    const refused = await ask(subject, body);
    expect([statusOf(refused), detailOf(refused)]).toEqual([
      422,
      expect.stringContaining(`body: at most ${most} bytes`),
    ]);
  }
  expect(queue.pops).toHaveLength(0);
});

test('a set of 1 000 wrong items is answered item by item, within one message', async () => {
  const reply = await ask('push.boefje', { tasks: many(1_000, () => ({ ['é'.repeat(400)]: 1, q: 1 })) });
  const { results } = reply.json<{ results: { error: { code: string } }[] }>();
  expect(results).toHaveLength(1_000);
  expect(results.every(({ error }) => error.code === 'INVALID_REQUEST')).toBe(true);
});

test('a task that no answer can hold is answered by its id and status, over get, patch and push', async () => {
  const whole = { ...boefjeTask('aa', 'x'), id };
  await wire.client.push('boefje', whole);
  const [task] = await wire.client.pop('boefje');
  const held = { id, lease_id: task!.lease_id };
  Object.assign(queue.rows.get(id)!, { data: { text: 'x'.repeat(2 * megabyte) } });
  expect((await ask('task.get', held)).json()).toEqual({ id, status: 'dispatched' });
  expect((await ask('task.patch', { ...held, status: 'running' })).json()).toEqual({ id, status: 'running' });
});

test('an answer to an operator that is too large says so, and what to do', async () => {
  const reply = await ask('ctl.giant', {});
  expect(statusOf(reply)).toBe(502);
  expect(detailOf(reply)).toMatch(/2000002 bytes.*max_payload.*ask for less/);
});

test('wait_ms of an hour is taken, and its pop waits for a minute', async () => {
  const asked = ask('pop.boefje', { wait_ms: 3_600_000 });
  await expect.poll(() => queue.pops.length).toBe(1);
  expect(queue.pops[0]!.waitMs).toBe(60_000);
  await wire.client.push('boefje', boefjeTask('aa', 'x'));
  expect(statusOf(await asked)).toBe(200);
});

test.each([
  '$JS.API.STREAM.PURGE.kat',
  'rota.kat.x',
  'rota.event.boefje.queued',
  '$SYS.x',
  '_INBOXES.x',
  '_INBOX',
  'x._INBOX.y',
])('nothing is published on %s because a request names it for its answer', async (reply) => {
  const heard: Msg[] = [];
  const spy = reply.startsWith('$') ? null : hostile.subscribe(reply, { callback: (_error, m) => heard.push(m) });
  let seen = 0;
  queue.get = async () => {
    seen += 1;
    return '{}';
  };
  const dropped = next('request.dropped');
  hostile.publish(`${wire.prefix}.task.get`, JSON.stringify({ id }), { reply });
  hostile.publish(`${wire.prefix}.task.get`, '{', { reply });
  for (const verb of ['PING', 'INFO', 'STATS']) hostile.publish(`$SRV.${verb}.${wire.prefix}`, '', { reply });
  expect(await dropped).toMatchObject({
    reason: 'reply-subject',
    subject: `${wire.prefix}.task.get`,
    reply: reply.split('.')[0],
  });
  expect(statusOf(await ask('pop.boefje', {}))).toBe(200);
  await hostile.flush();
  expect([heard.length, seen]).toEqual([0, 0]);
  spy?.unsubscribe();
});

test('a pop without a reply subject claims nothing', async () => {
  await wire.client.push('boefje', boefjeTask('aa', 'x'));
  const dropped = next('request.dropped');
  hostile.publish(`${wire.prefix}.pop.boefje`, '{}');
  expect(await dropped).toMatchObject({ reason: 'no-reply', subject: `${wire.prefix}.pop.boefje`, reply: '' });
  await hostile.flush();
  expect(statusOf(await ask('task.heartbeat', { leases: [{ id, lease_id: id }] }))).toBe(200);
  expect([...queue.rows.values()].map(({ status }) => status)).toEqual(['queued']);
});

test('the micro-service verbs are answered to inboxes as before', async () => {
  const reply = await hostile.request(`$SRV.PING.${wire.prefix}`, '');
  expect(reply.json()).toMatchObject({ name: wire.prefix });
});

/** Requests whose answers come to one inbox of this connection. */
async function flood(subject: string, bodies: readonly unknown[]): Promise<Msg[]> {
  const inbox = createInbox();
  const answers: Msg[] = [];
  hostile.subscribe(inbox, { callback: (_error, message) => answers.push(message) });
  for (const body of bodies) hostile.publish(`${wire.prefix}.${subject}`, JSON.stringify(body), { reply: inbox });
  await hostile.flush();
  return answers;
}

test('one client’s long polls are bounded, and another’s are taken', async () => {
  const answers = await flood(
    'pop.boefje',
    many(120, () => ({ wait_ms: 30_000 })),
  );
  await expect.poll(() => answers.length).toBe(70);
  expect(new Set(answers.map(statusOf))).toEqual(new Set([429]));
  expect(detailOf(answers[0]!)).toMatch(/50 pops.*NATS_CLIENT_POPS/);
  const waiting = wire.client.pop('boefje', { wait_ms: 20_000 });
  // Its first pop is not refused, and the client that is full may still report on its tasks.
  expect(statusOf(await ask('task.heartbeat', { leases: [{ id, lease_id: id }] }))).toBe(200);
  await wire.client.push(
    'boefje',
    many(51, (at) => boefjeTask('aa', `host-${at}`)),
  );
  expect(await waiting).toHaveLength(1);
  await expect.poll(() => answers.length).toBe(120);
});

test('one client’s distinct filters are bounded; what it asked for before goes on, and room comes back', async () => {
  const filter = (value: string) => ({ filters: [{ column: 'organisation', operator: '==', value }] });
  const pop = (at: number) => ({ wait_ms: 30_000, filters: filter(`o${at}`) });
  const answers = await flood('pop.boefje', [...many(12, pop), pop(0), pop(1)]);
  await expect.poll(() => answers.length).toBe(7);
  expect(new Set(answers.map(statusOf))).toEqual(new Set([429]));
  expect(detailOf(answers[0]!)).toMatch(/5 distinct filters.*NATS_CLIENT_FILTERS/);
  await wire.client.push(
    'boefje',
    many(7, (at) => boefjeTask('aa', `host-${at}`)),
  );
  await expect.poll(() => answers.length).toBe(14);
  expect(statusOf(await ask('pop.boefje', { filters: filter('other') }))).toBe(200);
});

test('an answer that cannot be sent is answered smaller, and the service goes on', async () => {
  queue.get = () => Promise.reject(Object.assign(new Error('x'.repeat(3 * megabyte)), { code: 'CONFLICT' }));
  const reply = await ask('task.get', { id });
  expect(statusOf(reply)).toBe(409);
  expect(reply.data.length).toBeLessThan(8_192);
});

test.each([
  ['a line end', 'one 0\r\n\r\nPUB rota.ctl.purge 2\r\n{}\r\nHPUB x'],
  ['a space', 'one two'],
  ['a wildcard', '*'],
  ['an empty part', ''],
])('a name with %s never becomes a part of a subject', async (_, instance) => {
  const { client } = wire;
  await expect(client.ctl('giant', {}, { instance })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(client.pop(instance)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(client.push(instance, boefjeTask('acme', 'a'))).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  expect(client.connection.isClosed()).toBe(false);
});
