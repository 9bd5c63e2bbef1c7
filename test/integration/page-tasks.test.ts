import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import type { LeasedTask } from '../../src/tasks/task.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { type Seen, visit, type Visitor } from '../support/visitor.ts';
import { boefjeTask } from '../support/wire.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const [operator, reader] = [newToken('ops-1', 'operate'), newToken('wall', 'read')] as const;
const hostile = 'Hostname|internet|"><img src=x onerror=alert(1)>\u202Eevil';

let hand: RotaAtHand;
let ops: Visitor;
let wall: Visitor;

beforeAll(async () => {
  hand = await startRotaAtHand({
    SCHEDULER_API_TOKENS: [operator.line, reader.line].join(','),
    SCHEDULER_PAGE_PORT: '0',
  });
  ops = await visit(hand.rota.page!, operator.token);
  wall = await visit(hand.rota.page!, reader.token);
});
afterAll(() => hand.stop());

async function push(organisation: string, oois: readonly string[], boefje?: string): Promise<string[]> {
  const pushed = await hand.client.push(
    'boefje',
    oois.map((ooi) => boefjeTask(organisation, ooi, boefje)),
  );
  return pushed.map((item) => (item as { readonly id: string }).id);
}

async function pop(organisation: string, limit = 1): Promise<LeasedTask[]> {
  const filters = { filters: [{ column: 'organisation', operator: 'eq' as const, value: organisation }] };
  return hand.client.pop('boefje', { limit, filters, worker: 'w-17', lease_ms: 60_000 });
}

async function fail(organisation: string, message: string): Promise<string> {
  const [task] = await pop(organisation);
  const { id, lease_id } = task!;
  await hand.client.patch({ id, lease_id, status: 'running' });
  await hand.client.patch({ id, lease_id, status: 'failed', error: { code: 'exit', message, detail: 'one\ntwo' } });
  return id;
}

const statusOf = async (id: string) => {
  const { results } = await hand.client.ctl<{ results: { status: string }[] }>('task-details', { ids: [id] });
  return results[0]?.status;
};
const rowsOf = ({ text }: Seen) => [...text.matchAll(/<tr id="t-([0-9a-f-]{36})"/g)].map(([, id]) => id!);
const linkOf = ({ text }: Seen, words: string) => {
  const link = new RegExp(`<a href="([^"]*)"[^>]*>\\s*${words}`).exec(text)?.[1];
  return link?.replaceAll('&amp;', '&') ?? null;
};
/** What the next page says of the action. */
const noticeOf = async (visitor: Visitor, { location }: Seen) => {
  const { text } = await visitor.get(location!);
  return /<div class="notice[^>]*>(.*?)<\/div>/s.exec(text)?.[1] ?? null;
};

test('a hostile OOI and error are text on the list and on the page of the task', async () => {
  const [id] = await push('evil', [hostile]);
  await fail('evil', 'exit code 137 <script>alert(2)</script>');
  for (const path of ['/tasks?organisation=evil', `/tasks/${id}`]) {
    const { status, text } = await ops.get(path);
    expect(status).toBe(200);
    expect(text).not.toMatch(/<img|<script>alert|onerror=alert\(1\)>\S*</);
    expect(text).not.toContain('\u202E');
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;');
    expect(text).toContain('exit code 137 &lt;script&gt;alert(2)&lt;/script&gt;');
  }
});

test('a page of a task has its verdict, attempts with workers and errors, data, and who changed it and why', async () => {
  const [id] = await push('one', ['Hostname|internet|one.example']);
  await fail('one', 'exit code 1');
  const retried = await ops.post('/do/retry', [
    ['ids', id!],
    ['back', `/tasks/${id}`],
  ]);
  expect(retried).toMatchObject({ status: 303, location: `/tasks/${id}` });
  const queued = await ops.get(`/tasks/${id}`);
  expect(queued.text).toMatch(/before it<\/dt>\s*<dd>/);
  expect(queued.text).toMatch(/retried by<\/dt>\s*<dd>\s*<bdi>ops-1/);
  await fail('one', 'exit code 137');
  const { text } = await ops.get(`/tasks/${id}`);
  expect(text).toMatch(/failed<\/span>\s*in its 2nd attempt: <bdi>exit: exit code 137/);
  expect(text.match(/<bdi>w-17<\/bdi>/g)).toHaveLength(2);
  expect(text).toContain('exit: exit code 1<');
  expect(text).toContain('one<br />two<br />');
  expect(text).toContain('&quot;input_ooi&quot;: &quot;Hostname|internet|one.example&quot;,<br />');
  expect(await ops.get('/tasks/0e191e18-bc77-405f-8887-80f510304021')).toMatchObject({ status: 404 });
});

test('a cancel is undone by its opposite; a task that a worker has is asked about first', async () => {
  const [id] = await push('undo', ['Hostname|internet|undo.example']);
  const cancelled = await ops.post('/do/cancel', [
    ['ids', id!],
    ['back', '/tasks'],
  ]);
  expect(cancelled.location).toBe('/tasks');
  expect(await statusOf(id!)).toBe('cancelled');
  const notice = (await noticeOf(ops, cancelled))!;
  expect(notice).toMatch(/1 task cancelled\..*action="\/do\/retry".*Undo/s);
  await ops.post('/do/retry', [['ids', id!]]);
  expect(await statusOf(id!)).toBe('queued');
  await pop('undo');
  const asked = await ops.post('/do/cancel', [['ids', id!]]);
  expect(asked).toMatchObject({ status: 200 });
  expect(await statusOf(id!)).toBe('dispatched');
  expect(asked.text).toContain('Cancel the task that a worker has?');
  await ops.confirm(asked, { note: 'wrong target' });
  expect(await statusOf(id!)).toBe('cancelled');
  expect((await ops.get(`/tasks/${id}`)).text).toMatch(/cancelled<\/span>\s*by <bdi>ops-1<\/bdi>: <bdi>wrong target/);
});

test('filters are the address; rows are newest first, and pages go on by cursor, and back', async () => {
  const oois = Array.from({ length: 120 }, (_, n) => `Hostname|internet|paged-${n}.example`);
  const ids = await push('paged', oois);
  await push('paged', ['IPAddressV4|internet|192.0.2.1'], 'nmap');
  const newest = await ops.get('/tasks?organisation=paged&plugin=dns-records');
  const older = await ops.get(linkOf(newest, 'older')!);
  const oldest = await ops.get(linkOf(older, 'older')!);
  const all = [newest, older, oldest].flatMap(rowsOf);
  expect(all).toHaveLength(120);
  expect(new Set(all)).toEqual(new Set(ids));
  expect(linkOf(oldest, 'older')).toBeNull();
  const back = await ops.get(linkOf(oldest, '‹ newer')!);
  expect(rowsOf(back)).toEqual(rowsOf(older));
  expect(rowsOf(await ops.get(linkOf(back, '‹ newer')!))).toEqual(rowsOf(newest));
  expect(newest.text).toContain('rota tasks list --organisation paged --boefje dns-records');
  expect(rowsOf(await ops.get('/tasks?organisation=paged&ooi=192.0.2'))).toHaveLength(1);
  expect(rowsOf(await ops.get('/tasks?organisation=paged&to=2020-01-01T00:00'))).toHaveLength(0);
  expect(rowsOf(await ops.get('/tasks?organisation=paged&status=queued&from=2020-01-01'))).toHaveLength(50);
});

test('a live list keeps its rows, changed in place, and only counts what came since', async () => {
  const [first] = await push('live', ['Hostname|internet|live-1.example']);
  const list = await ops.get('/tasks?organisation=live&status=queued');
  const at = /data-live-at="([^"]+)"/.exec(list.text)![1]!.replaceAll('&amp;', '&');
  await push('live', ['Hostname|internet|live-2.example', 'Hostname|internet|live-3.example']);
  await ops.post('/do/cancel', [['ids', first!]]);
  const live = await ops.get(at);
  expect(rowsOf(live)).toEqual([first]);
  expect(live.text).toMatch(/cancelled<\/span/);
  expect(live.text).toMatch(/>2<\/data>\s*newer ↻/);
  expect(rowsOf(await ops.get(linkOf(live, '<data')!))).toHaveLength(2);
  // A search is not repeated: what an index counts is said as such, and not for ever.
  const searched = await ops.get(at.replace('status=queued', 'ooi=live-9'));
  expect(searched.text).toMatch(/>2<\/data>\s*made since, of any kind ↻/);
  const old = await ops.get(at.replace(/shown_at=[^&]*/, 'shown_at=2000-01-01T00:00:00Z'));
  expect(old.text).not.toContain('</data> newer');
  expect(linkOf(old, 'look for newer ↻')).toBe('/tasks?status=queued&organisation=live');
});

test('of ticked tasks a conflict is a line of the result: the others are changed', async () => {
  const ids = await push(
    'ticked',
    ['a', 'b', 'c'].map((name) => `Hostname|internet|${name}.ticked`),
  );
  await hand.client.ctl('change-tasks', { action: 'cancel', ids: [ids[1]] });
  const asked = await ops.post('/do/cancel', [
    ...ids.map((id) => ['ids', id] as const),
    ['back', '/tasks?organisation=ticked'],
  ]);
  expect(asked.text).toContain('Cancel 3 tasks?');
  const done = await ops.confirm(asked);
  expect(done.location).toBe('/tasks?organisation=ticked');
  const notice = await noticeOf(ops, done);
  expect(notice).toContain('2 tasks cancelled, 1 refused');
  expect(notice).toContain(`task ${ids[1]} is cancelled: cancel is for`);
  expect(await Promise.all(ids.map(statusOf))).toEqual(['cancelled', 'cancelled', 'cancelled']);
  const nothing = await ops.post('/do/retry', [['back', '/tasks']]);
  expect(await noticeOf(ops, nothing)).toContain('no task is ticked');
});

test('who may only look has no buttons, and is refused what a button would post', async () => {
  const [id] = await push('looked', ['Hostname|internet|looked.example']);
  for (const path of ['/tasks?organisation=looked', `/tasks/${id}`]) {
    const { status, text } = await wall.get(path);
    expect(status).toBe(200);
    expect(text).not.toMatch(/\/do\/|type="checkbox"/);
  }
  const made = new Date().toISOString();
  const bodies = [
    ['ids', id!],
    ['organisation', 'looked'],
    ['made_until', made],
    ['job', id!],
  ] as const;
  for (const action of ['retry', 'cancel', 'release', 'retry-all', 'cancel-all', 'release-all', 'stop-job']) {
    expect(await wall.post(`/do/${action}`, bodies), action).toMatchObject({ status: 403 });
  }
  expect(await statusOf(id!)).toBe('queued');
});

test.each([
  ['status', '/tasks?status=lost'],
  ['from', '/tasks?from=yesterday'],
  ['organisation', '/tasks?organisation=a%00b'],
  ['before', '/tasks?before=abc'],
  ['trail', '/tasks?trail=abc'],
  ['shown', '/tasks?shown=abc&shown_at=2026-01-01T00:00:00Z'],
  ['ooi', `/tasks?ooi=${'x'.repeat(3_000)}`],
  ['id', '/tasks/garbage'],
  ['id', '/jobs/garbage'],
  ['q', `/search?q=${'x'.repeat(3_000)}`],
])('garbage in an address is a sentence that names its parameter: %s', async (parameter, path) => {
  const { status, text } = await ops.get(path);
  expect(status).toBe(422);
  expect(text).toMatch(new RegExp(`role="alert">.*\\b${parameter}\\b`, 's'));
});

test('a search goes to the one thing that it names, or lists what it may be', async () => {
  const [id] = await push('found-1', ['Hostname|internet|found.example'], 'found-boefje');
  await push('found-2', ['Hostname|internet|found.example']);
  const to = async (q: string) => (await ops.get(`/search?q=${encodeURIComponent(q)}`)).location;
  expect(await to(id!.toUpperCase())).toBe(`/tasks/${id}`);
  expect(await to('Hostname|internet|found.example')).toBe('/tasks?ooi=Hostname%7Cinternet%7Cfound.example');
  await expect.poll(() => to('found-1')).toBe('/organisations/found-1');
  expect(await to('found-boefje')).toBe('/tasks?plugin=found-boefje');
  const several = await ops.get('/search?q=found');
  expect(several.text).toMatch(/found-1.*found-2.*found-boefje/s);
  expect((await ops.get('/search?q=nothing-like-it')).text).toContain(
    'No task, schedule, organisation or plug-in is called',
  );
});
