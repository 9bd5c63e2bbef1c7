import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ChangedSelection } from '../../src/protocol/operator-lists.ts';
import type { LeasedTask, Schedule, Task } from '../../src/tasks/task.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand();
});

afterAll(() => hand.stop());

interface Page<T> {
  readonly count: number;
  readonly next: string | null;
  readonly results: T[];
}

const list = async (...args: string[]) => hand.json<Page<Task>>(['tasks', 'list', ...args]);

test('tasks of a file are queued, and those that are refused are marked', async () => {
  const lines = [boefjeTask('file', 'Hostname|internet|a'), { organisation: 'file', data: {} }];
  const file = lines.map((line) => JSON.stringify({ scheduler_id: 'boefje', ...line })).join('\n');
  const { code, stdout } = await hand.run(['push', '-', '--json'], file);
  expect(JSON.parse(stdout)).toMatchObject({
    results: [{ status: 'queued', organisation: 'file' }, { error: { code: 'INVALID_REQUEST' } }],
  });
  expect(code).toBe(64);
});

test('a task that a manual pop has claimed is shown with its holder, and released to the queue', async () => {
  await hand.client.push('boefje', boefjeTask('held', 'Hostname|internet|a'));
  const filter = JSON.stringify({ filters: [{ column: 'organisation', operator: '==', value: 'held' }] });
  const { results } = await hand.json<{ results: LeasedTask[] }>(['pop', 'boefje', '--filter', filter]);
  const [{ id, lease_id }] = results as [LeasedTask];
  const claimed = await hand.json(['tasks', 'show', id]);
  expect(claimed).toMatchObject({ status: 'dispatched', attempts: 1, lease: { id: lease_id, worker: 'rota pop' } });
  expect(await hand.json(['tasks', 'release', id])).toEqual({ changed: 1, refused: [] });
  expect(await hand.json(['tasks', 'show', id])).toMatchObject({
    status: 'queued',
    lease: null,
    queue: { held: false },
  });
  await expect(hand.client.patch({ id, status: 'completed', lease_id })).rejects.toMatchObject({ code: 'LEASE_LOST' });
});

test('tasks of several statuses are listed together, newest first, and changed together', async () => {
  const ids: string[] = [];
  for (const ooi of ['a', 'b', 'c', 'd'])
    ids.push((await hand.client.push('boefje', boefjeTask('several', `Hostname|internet|${ooi}`))).id);
  await hand.json(['tasks', 'cancel', ids[1]!]);
  await hand.json(['tasks', 'cancel', ids[2]!]);
  await hand.client.ctl('change-tasks', { action: 'retry', ids: [ids[1]] });
  const both = ['--organisation', 'several', '--status', 'queued', '--status', 'cancelled'];
  const [first, second] = [await list(...both, '--limit', '3'), await list(...both, '--limit', '1')];
  expect(first.count).toBe(4);
  const shown = ({ results }: Page<Task>) => results.map(({ id, status }) => [id, status]);
  expect(shown(first)).toEqual([
    [ids[3], 'queued'],
    [ids[2], 'cancelled'],
    [ids[1], 'queued'],
  ]);
  expect(shown(await list(...both, '--limit', '3', '--before', second.next!))).toEqual([
    [ids[2], 'cancelled'],
    [ids[1], 'queued'],
    [ids[0], 'queued'],
  ]);
  expect(await hand.run(['tasks', 'list', ...both, '--limit', '501'])).toMatchObject({ code: 64 });
  const changed = await hand.json(['tasks', 'retry', '--yes', '--organisation', 'several', '--status', 'cancelled']);
  expect(changed).toMatchObject({ changed: 1 });
  expect((await list('--organisation', 'several', '--status', 'queued')).count).toBe(4);
});

test('a task that a runner took over REST is shown as not begun, until its runner says something of it', async () => {
  const { id } = await hand.client.push('report', {
    organisation: 'rest',
    data: { organisation_id: 'rest', report_recipe_id: 'r' },
  });
  const ask = (method: string, path: string, body?: object) =>
    fetch(hand.rota.api + path, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  await ask('POST', '/schedulers/report/pop?limit=1');
  expect(await hand.json(['tasks', 'show', id])).toMatchObject({ unbegun: 0, lease: { via: 'rest', begun: false } });
  expect((await hand.run(['tasks', 'show', id])).stdout).toMatch(/held by +\S+ over rest, not begun, ends in /);
  await ask('PATCH', `/tasks/${id}`, { status: 'running' });
  expect(await hand.json(['tasks', 'show', id])).toMatchObject({ lease: { via: 'rest', begun: true } });
  expect((await hand.run(['tasks', 'show', id])).stdout).toMatch(/held by +\S+ over rest, ends in /);
});

test('what a filter selects is cancelled and retried whole, whatever its number, and nothing else', async () => {
  const many = Array.from({ length: 1_200 }, (_, n) => boefjeTask('many', `Hostname|internet|${n}`));
  await hand.client.push('boefje', many);
  await hand.client.push('boefje', boefjeTask('other', 'Hostname|internet|1'));
  expect(await hand.json(['tasks', 'cancel', '--organisation', 'many', '--yes'])).toEqual({
    changed: 1_200,
    refused: [],
  });
  expect((await list('--organisation', 'many', '--status', 'queued')).count).toBe(0);
  expect((await list('--organisation', 'other', '--status', 'queued')).count).toBe(1);
  const retried = [
    'tasks',
    'retry',
    '--organisation',
    'many',
    '--status',
    'cancelled',
    '--ooi',
    '|internet|7',
    '--yes',
  ];
  expect(await hand.json(retried)).toEqual({ changed: 111, refused: [] });
  expect((await list('--organisation', 'many', '--status', 'queued')).count).toBe(111);
});

test('a task whose twin is queued is not retried, and that is said', async () => {
  const task = boefjeTask('twin', 'Hostname|internet|a');
  const first = await hand.client.push('boefje', task);
  await hand.json(['tasks', 'cancel', first.id]);
  await hand.client.push('boefje', task);
  const { code, stdout } = await hand.run(['tasks', 'retry', first.id, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ changed: 0, refused: [{ id: first.id, code: 'CONFLICT' }] });
  expect(code).toBe(65);
});

test('a list says how to go on, and a search how far it has looked', async () => {
  const many = Array.from({ length: 30 }, (_, n) => boefjeTask('paged', `Hostname|internet|${n}.nl`));
  await hand.client.push('boefje', many);
  const of = ['tasks', 'list', '--organisation', 'paged'];
  const { stdout } = await hand.run([...of, '--ooi', `it's|`, '--limit', '7']);
  expect(stdout).toMatch(/0 of 0\n$/);
  const first = (await hand.run([...of, '--limit', '25', '--ooi', '|internet|'])).stdout;
  expect(first).toContain('25 of 30 among the');
  expect(first).toMatch(/, back to 20\S+ \S+ UTC\n/);
  const [, words] = /go on: rota (tasks list .*)\n$/.exec(first)!;
  expect(words).toMatch(/^tasks list --organisation paged --ooi '\|internet\|' --limit 25 --before \S+$/);
  const rest = await hand.run(words!.replaceAll("'", '').split(' '));
  expect(rest.stdout).toMatch(/\n5 of 5\+\n$/);
  const wrong = await hand.run([...of, '--before', '2026-02-31T00:00:00.000000Z_0e191e18-bc77-405f-8887-80f510304021']);
  expect(wrong).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('before: expected `next` of an earlier answer'),
  });
  expect(await hand.run([...of, '--from', '2026-02-31'])).toMatchObject({ code: 64 });
  expect((await list('--organisation', 'paged', '--from', '2020-01-01', '--to', '2020-01-02T00:00Z')).count).toBe(0);
});

test('a bulk job leaves what was made after it began, and steps over what is refused', async () => {
  const push = async (ooi: string) =>
    (await hand.client.push('boefje', boefjeTask('frozen', `Hostname|internet|${ooi}`))).id;
  const ids = [await push('a'), await push('b'), await push('c')];
  const cancel = { action: 'cancel', organisation: 'frozen', status: 'queued' } as const;
  const { made_until: madeUntil, ...began } = await hand.client.ctl<ChangedSelection>('change-selected-tasks', {
    ...cancel,
    limit: 1,
  });
  expect(began).toMatchObject({ changed: 1, refused: [], next: expect.stringContaining(ids[2]!) });
  const late = await push('d');
  const { changed } = await hand.client.ctl<ChangedSelection>('change-selected-tasks', {
    ...cancel,
    before: undefined,
    made_until: madeUntil,
  });
  expect(changed).toBe(2);
  expect((await list('--organisation', 'frozen', '--status', 'queued')).results.map(({ id }) => id)).toEqual([late]);
  // The twin of the newest is queued: it is refused, and the job goes on with the others.
  const twin = await push('c');
  const retried = await hand.json(['tasks', 'retry', '--organisation', 'frozen', '--status', 'cancelled', '--yes']);
  expect(retried).toMatchObject({ changed: 2, refused: [{ id: ids[2], code: 'CONFLICT' }] });
  expect((await list('--organisation', 'frozen', '--status', 'queued')).results.map(({ id }) => id)).toEqual([
    twin,
    late,
    ids[1],
    ids[0],
  ]);
});

test('a cursor that is none is refused by its name', async () => {
  const id = '0e191e18-bc77-405f-8887-80f510304021';
  const cursors = [
    '',
    'x',
    id,
    `none_${id}x`,
    `2026-13-01T00:00:00.000000Z_${id}`,
    `0000-01-01T00:00:00.000000Z_${id}`,
    7,
    null,
  ];
  for (const cursor of cursors) {
    await expect(hand.client.ctl('tasks', { before: cursor })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('before: '),
    });
    await expect(hand.client.ctl('schedules', { after: cursor })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('after: '),
    });
  }
});

test('a name with a NUL is refused by its field', async () => {
  for (const field of ['scheduler', 'organisation', 'plugin', 'ooi', 'whole_ooi'])
    await expect(hand.client.ctl('tasks', { [field]: 'a\0b' })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining(`${field}: no NUL`),
    });
});

test('nothing in bulk happens unasked: without a terminal and without --yes it is refused', async () => {
  await hand.client.push('boefje', boefjeTask('asked', 'Hostname|internet|a'));
  const { code, stderr } = await hand.run(['tasks', 'cancel', '--organisation', 'asked']);
  expect(code).toBe(64);
  expect(stderr).toContain('cancel 1 task?');
  expect((await list('--organisation', 'asked', '--status', 'queued')).count).toBe(1);
});

test('tasks are found by age', async () => {
  await hand.client.push('boefje', boefjeTask('young', 'Hostname|internet|a'));
  expect((await list('--organisation', 'young', '--older-than', '1h')).count).toBe(0);
  expect((await list('--organisation', 'young', '--older-than', '0s')).count).toBe(1);
});

test('a schedule is found, disabled by a person, enabled, timed and run now', async () => {
  await hand.client.push('boefje', boefjeTask('timed', 'Hostname|internet|a'));
  const found = await hand.json<Page<Schedule>>([
    'schedules',
    'list',
    '--organisation',
    'timed',
    '--boefje',
    'dns-records',
  ]);
  expect(found.count).toBe(1);
  const { id } = found.results[0]!;
  expect(await hand.json(['schedules', 'disable', id])).toMatchObject({ enabled: false });
  expect(await hand.json(['schedules', 'show', id])).toMatchObject({ enabled: false, disabled_reason: 'person' });
  expect((await hand.run(['schedules', 'run-now', id])).code).toBe(65);
  expect(await hand.json(['schedules', 'enable', id])).toMatchObject({ enabled: true });
  expect(await hand.json(['schedules', 'set-cron', id, '0 3 * * *'])).toMatchObject({ schedule: '0 3 * * *' });
  const due = await hand.json<Schedule>(['schedules', 'run-now', id]);
  expect(Date.parse(due.deadline_at!)).toBeLessThanOrEqual(Date.now());
  for (const [cron, why] of [
    ['0 0 31 2 *', 'no such day exists'],
    ['R 22-6 * * *', "minute 'r': random (R)"],
    ['0 22-26 * * *', "hour '22-26': expected 0-23"],
    ['0 0 1 1 * 0 2020', 'its years are over'],
  ]) {
    const { code, stderr } = await hand.run(['schedules', 'set-cron', id, cron!]);
    expect([code, stderr]).toEqual([64, expect.stringContaining(why!)]);
  }
  const night = ['*/30 22-6 * * *', '0 0 * * L5', '0 3 1 1 * 0 2090-2099'];
  for (const schedule of night) {
    expect(await hand.json(['schedules', 'set-cron', id, schedule])).toMatchObject({ schedule });
  }
  expect(await hand.json(['schedules', 'set-cron', id, 'none'])).toMatchObject({ schedule: null });
});
