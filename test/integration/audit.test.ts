import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import { operatorCommands, type OperatorPorts } from '../../src/control/operations.ts';
import type { AuditView } from '../../src/protocol/operator-status.ts';
import { startRotaAtHand, type RotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

vi.setConfig({ testTimeout: 120_000 });

const [operator, reader, worker] = [
  newToken('ops-1', 'operate'),
  newToken('wall', 'read'),
  newToken('scan', 'work'),
] as const;

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand({ SCHEDULER_API_TOKENS: [operator, reader, worker].map(({ line }) => line).join(',') });
});
afterAll(() => hand.stop());

async function post(command: string, body: unknown, { token }: { readonly token: string }) {
  const response = await fetch(`${hand.rota.api}/ctl/${command}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as { detail: unknown } };
}

const entries = async (...args: string[]) => {
  const { results } = await hand.json<{ results: AuditView[] }>(['audit', ...args]);
  return results.map(({ by, command, organisation, fields, refused }) => ({
    by,
    command,
    organisation,
    fields,
    refused,
  }));
};

test('what operators do over HTTP and NATS is kept, newest first, by organisation, and with its note', async () => {
  const pause = { scheduler: 'boefje', organisation: 'acme', note: 'migration\nof the database' };
  expect(await post('pause', pause, operator)).toMatchObject({ status: 200, body: { held: 0, complete: true } });
  await hand.json(['resume', 'boefje', '--organisation', 'acme']);
  await hand.json(['weights', 'set', 'boefje', 'other', '2']);
  const acme = await entries('--organisation', 'acme');
  expect(acme).toMatchObject([
    { command: 'resume', organisation: 'acme', by: expect.any(String), refused: null },
    { command: 'pause', by: 'ops-1', fields: { note: String.raw`migration\nof the database`, tasks: 0 } },
  ]);
  const all = await hand.json<{ results: AuditView[] }>(['audit']);
  expect(all.results[0]).toMatchObject({ command: 'set-weight', organisation: 'other' });
  expect(await entries('--before', all.results[0]!.id)).toMatchObject(acme);
  const { stdout } = await hand.run(['audit', '--limit', '2']);
  expect(stdout).toContain(`older: --before ${all.results[1]!.id}`);
});

test('the note of a pause is shown by lists and explanations; a second one replaces it, and none keeps it', async () => {
  await hand.client.push('boefje', boefjeTask('noted', 'Hostname|internet|a'));
  const pause = ['pause', 'boefje', '--organisation', 'noted'];
  await hand.json([...pause, '--note', 'first']);
  await hand.json([...pause, '--note', 'second']);
  await hand.json(pause);
  expect(await hand.json(['pauses'])).toMatchObject({ results: [{ organisation: 'noted', note: 'second' }] });
  const { results: tasks } = await hand.json<{ results: { id: string }[] }>([
    'tasks',
    'list',
    '--organisation',
    'noted',
  ]);
  const { stdout } = await hand.run(['explain', tasks[0]!.id]);
  expect(stdout).toContain(': second');
  await hand.json(['resume', 'boefje', '--organisation', 'noted']);
});

test('a reader is refused every command that changes something, before its body is read, and the audit has each try', async () => {
  const commands = operatorCommands({ schedulerIds: [] } as unknown as OperatorPorts);
  const [reads, operates] = (['read', 'operate'] as const).map((access) =>
    Object.entries(commands).flatMap(([name, command]) => (command.access === access ? [name] : [])),
  ) as [string[], string[]];
  expect(reads).toEqual(expect.arrayContaining(['status', 'tasks', 'explain', 'audit']));
  for (const name of operates) expect(await post(name, { wrong: 1 }, reader), name).toMatchObject({ status: 403 });
  const refused = (await entries('--limit', '200')).filter(({ by }) => by === 'wall');
  expect(refused.map(({ command }) => command).toSorted()).toEqual(operates.toSorted());
  expect(new Set(refused.map((entry) => entry.refused))).toEqual(new Set(['FORBIDDEN']));
  expect(await post('status', {}, reader)).toMatchObject({ status: 200 });
});

test('a try that is repeated is one entry a minute, and holds up nobody who reads the audit', async () => {
  const tries = Array.from({ length: 300 }, () => post('drain', {}, worker));
  expect(new Set((await Promise.all(tries)).map(({ status }) => status))).toEqual(new Set([403]));
  const refused = (await entries('--limit', '200')).filter(({ by }) => by === 'scan');
  expect(refused).toMatchObject([{ command: 'drain', fields: { tries: 1 }, refused: 'FORBIDDEN' }]);
});

test('over HTTP a command that there is not, and a body that does not fit, are told as over NATS', async () => {
  expect(await post('dance', {}, operator)).toMatchObject({
    status: 404,
    body: { detail: expect.stringContaining('no command dance') },
  });
  expect(await post('audit', { limit: 0 }, operator)).toMatchObject({ status: 422 });
});

test.each([
  ['pause', { scheduler: 'boefje', organisation: 'a\0' }, 'organisation'],
  ['resume', { scheduler: 'boefje', boefje: 'a\0' }, 'boefje'],
  ['purge', { organisation: 'a\0' }, 'organisation'],
  ['names', { kind: 'organisation', prefix: 'a\0' }, 'prefix'],
  ['audit', { organisation: 'a\0' }, 'organisation'],
])('%s refuses a NUL, which Postgres does not store', async (command, body, field) => {
  const { status, body: answer } = await post(command, body, operator);
  expect([status, JSON.stringify(answer)]).toEqual([422, expect.stringContaining(`${field}: no NUL`)]);
});

test('the audit names what was changed, in which organisation, and what it was before', async () => {
  for (const boefje of ['first', 'second']) {
    await hand.client.push('boefje', boefjeTask('changed', `Hostname|internet|${boefje}`));
  }
  const list = async <T>(command: string) =>
    (await post(command, { organisation: 'changed' }, operator)).body as unknown as { results: T[] };
  const schedules = (await list<{ id: string; schedule: string | null }>('schedules')).results;
  const ids = schedules.map(({ id }) => id);
  expect(ids).toHaveLength(2);
  const latest = async () => (await entries('--organisation', 'changed', '--limit', '1'))[0];

  await post('change-schedules', { action: 'disable', ids }, operator);
  const disabled = await latest();
  expect(disabled).toMatchObject({ command: 'disable-schedules', fields: { schedules: 2, before: [true, true] } });
  expect((disabled!.fields as { ids: string[] }).ids.toSorted()).toEqual(ids.toSorted());

  const [id] = ids;
  expect(await post('set-cron', { id, cron: '0 3 * * *' }, operator)).toMatchObject({ body: { before: null } });
  const second = await post('set-cron', { id, cron: '0 4 * * *' }, operator);
  expect(second).toMatchObject({ body: { schedule: '0 4 * * *', before: '0 3 * * *' } });
  expect(await latest()).toMatchObject({
    command: 'set-cron',
    fields: { schedule: id, cron: '0 4 * * *', before: '0 3 * * *' },
  });

  const tasks = (await list<{ id: string }>('tasks')).results.map((task) => task.id);
  await post('change-tasks', { action: 'cancel', ids: tasks.slice(0, 1) }, operator);
  expect(await latest()).toMatchObject({ command: 'cancel', fields: { tasks: 1, ids: tasks.slice(0, 1) } });
  await post('change-selected-tasks', { action: 'cancel', status: 'queued', organisation: 'changed' }, operator);
  expect(await latest()).toMatchObject({ command: 'cancel', fields: { tasks: 1, ids: tasks.slice(1) } });
});

test('who asked for a look, a reschedule or a rerank is kept', async () => {
  await post('look', { organisations: ['acme'] }, operator);
  await post('reschedule', { actor: 'boefje' }, operator);
  await post('rerank', { scheduler: 'report' }, operator);
  const [ended, begun, reschedule, look] = await entries('--limit', '4');
  expect(look).toMatchObject({ command: 'look', organisation: 'acme', by: 'ops-1' });
  expect(reschedule).toMatchObject({ command: 'reschedule', fields: { actor: 'boefje' } });
  expect(begun).toMatchObject({ command: 'rerank', by: 'ops-1', fields: { scheduler: 'report' } });
  expect(ended).toMatchObject({ command: 'rerank', fields: { tasks: 0, moved: 0 } });
});

test('a reader explains four things at a time, and is no obstacle to an operator', async () => {
  const asks = Array.from({ length: 30 }, (_, n) =>
    post('explain', { organisation: 'acme', boefje: `dns-${n}` }, reader).then(({ status }) => status),
  );
  const own = await post('explain', { organisation: 'acme', boefje: 'mine' }, operator);
  expect(own.status).toBe(200);
  const statuses = await Promise.all(asks);
  expect(statuses).toContain(200);
  expect(statuses.some((status) => status === 429 || status === 503)).toBe(true);
});

test('over HTTP without tokens commands look, and change nothing', async () => {
  const open = await startRotaAtHand();
  onTestFinished(() => open.stop());
  const ask = (command: string) =>
    fetch(`${open.rota.api}/ctl/${command}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
  expect((await ask('pauses')).status).toBe(200);
  expect((await ask('drain')).status).toBe(403);
});
