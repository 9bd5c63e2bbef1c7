import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scanProfileMutation } from '../../src/simulator/events.ts';
import type { Task } from '../../src/tasks/task.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { queuedIn } from '../support/told.ts';

let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start();
});
afterAll(() => house.stop());

const host = hostname('example.nl');
const mutation = scanProfileMutation('aa', 'create', host);
const task = { organisation: 'aa', priority: 1, data: { boefje: { id: 'dns' }, input_ooi: 'x', organization: 'aa' } };

test.each([
  ['not JSON', Buffer.from('{"operation":'), 'not JSON'],
  ['not UTF-8', Buffer.from([0xff, 0xfe]), 'not JSON'],
  ['a list', [], '(the whole)'],
  ['an unknown operation', { ...mutation, operation: 'explode' }, 'operation'],
  [
    'a scan level beyond 4',
    { ...mutation, value: { ...mutation.value, scan_profile: { level: 9 } } },
    'value.scan_profile.level',
  ],
  ['no organisation', { ...mutation, client_id: '' }, 'client_id'],
])(
  'lessons 1: a poison message (%s) is dead-lettered as it came, with its error, and blocks nothing',
  async (_what, body, named) => {
    const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
    const dead = next('event.dead-lettered');
    const queued = queuedIn(organisation);
    await house.publish('scan_profile_mutations', body);
    await house.mutate(organisation, host);
    expect(await dead).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining(named) });
    expect(await queued).toHaveLength(1);
    const letter = (await house.takeDead('scan_profile_mutations'))!;
    expect(letter.body).toBe(String(Buffer.isBuffer(body) ? body : JSON.stringify(body)));
    expect(letter.headers['x-rota-error']).toContain(named);
  },
);

test('a raw file without its boefje is dead-lettered, and the next one is parsed', async () => {
  const dead = next('event.dead-lettered');
  await house.publish('raw_file_received', {
    created_at: '2025-05-27T09:00:16Z',
    organization: 'aa',
    raw_data: { id: randomUUID(), mime_types: [] },
  });
  expect(await dead).toMatchObject({
    stream: 'raw_file_received',
    message: expect.stringContaining('raw_data.boefje_meta'),
  });
  const refused = next('tasks.refused');
  await house.receiveRawFile('absent', host, { mimeTypes: ['boefje/dns'] });
  expect(await refused).toMatchObject({ reason: 'organisation-gone' });
});

test('a hundred poison messages do not wedge the consumer', async () => {
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
  const queued = queuedIn(organisation);
  for (let at = 0; at < 100; at += 1) await house.publish('scan_profile_mutations', { at });
  await house.mutate(organisation, host);
  expect(await queued).toHaveLength(1);
});

test('an unknown scheduler is named in the refusal, over REST and NATS, and takes no task', async () => {
  for (const [method, path, body] of [
    ['GET', '/schedulers/nope', undefined],
    ['POST', '/schedulers/nope/push', task],
    ['POST', '/schedulers/nope/pop', { filters: [] }],
  ] as const) {
    const answer = await rota.ask<{ detail: string }>(method, path, body);
    expect(answer, path).toMatchObject({ status: 404, body: { detail: expect.stringContaining('nope') } });
  }
  for (const asked of [house.client.pop('nope'), house.client.push('nope', task)]) {
    await expect(asked).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('nope') });
  }
  expect(await house.sql`SELECT count(*)::int AS tasks FROM tasks WHERE scheduler_id = 'nope'`).toEqual([{ tasks: 0 }]);
});

test('a filter on a column that does not exist is refused at once over REST and NATS, and takes no task', async () => {
  const pushed = await house.client.push('boefje', task);
  const filters = { filters: [{ column: 'nope', operator: 'eq' as const, value: 1 }] };
  for (const path of ['/tasks', '/schedules/search', '/schedulers/boefje/pop']) {
    const answer = await rota.ask<{ detail: string }>('POST', path, filters);
    expect(answer, path).toMatchObject({ status: 400, body: { detail: expect.stringContaining('nope') } });
  }
  await expect(house.client.pop('boefje', { filters, wait_ms: 20_000 })).rejects.toMatchObject({
    code: 'INVALID_FILTER',
    message: expect.stringContaining('nope'),
  });
  const own = { filters: [{ column: 'organisation', operator: 'eq', value: 'aa' }] };
  const { body } = await rota.ask<{ results: Task[] }>('POST', '/schedulers/boefje/pop', own);
  expect(body.results).toMatchObject([{ id: pushed.id }]);
});

test('a ranker or a scheduler that does not exist stops the start, and those there are are named', async () => {
  await expect(house.start({ environment: { SCHEDULER_BOEFJE_RANKER: 'nope' } })).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringMatching(/nope.*created-at/),
  });
  await expect(house.start({ environment: { SCHEDULER_ACTORS: 'boefje,nope' } })).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringMatching(/nope.*normalizer/),
  });
});

/** `rota start` as an operator runs it. */
async function rotaStart(environment: Readonly<Record<string, string>>): Promise<{ code: number; stderr: string }> {
  const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const child = spawn(process.execPath, [entry, 'start'], {
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code: code as number, stderr };
}

test('a wrong environment variable stops the start with exit 78: each is named with what was expected', async () => {
  const { code, stderr } = await rotaStart({
    SCHEDULER_DB_URI: 'mysql://rota:hunter2@db/rota',
    SCHEDULER_PQ_GRACE_PERIOD: 'tomorrow',
    SCHEDULER_EVENTS: 'pigeons',
  });
  expect(code).toBe(78);
  expect(stderr).toMatch(/SCHEDULER_DB_URI=<redacted>: expected a URL such as postgresql:/);
  expect(stderr).toMatch(/SCHEDULER_PQ_GRACE_PERIOD="tomorrow": expected/);
  expect(stderr).toMatch(/SCHEDULER_EVENTS="pigeons": expected amqp or jetstream$/m);
  expect(stderr).not.toContain('hunter2');
});

test('lessons 1: secrets in the address of a database that cannot be reached do not reach the log', async () => {
  const { code, stderr } = await rotaStart({
    SCHEDULER_DB_URI: 'postgres://rota:hunter2@127.0.0.1:1/rota',
    NATS_URL: 'nats://rota:hunter2@127.0.0.1:1',
    QUEUE_URI: 'amqp://rota:hunter2@127.0.0.1:1',
  });
  expect(code).toBe(75);
  expect(stderr).toMatch(/database/);
  expect(stderr).not.toContain('hunter2');
});
