import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import type { ListedSchedule, ScheduleView } from '../../src/protocol/operator-lists.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { type Seen, visit, type Visitor } from '../support/visitor.ts';
import { boefjeTask } from '../support/wire.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

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
  [ops, wall] = await Promise.all([visit(hand.rota.page!, operator.token), visit(hand.rota.page!, reader.token)]);
});
afterAll(() => hand.stop());

/** Each task that is pushed makes a schedule. */
async function schedulesOf(organisation: string, oois: readonly string[]): Promise<readonly ListedSchedule[]> {
  await hand.client.push(
    'boefje',
    oois.map((ooi) => boefjeTask(organisation, ooi)),
  );
  const { results } = await hand.client.ctl<{ results: ListedSchedule[] }>('schedules', { organisation, limit: 100 });
  return results;
}

const detailsOf = (id: string) => hand.client.ctl<ScheduleView>('schedule-details', { id });
const textOf = ({ text }: Seen) => text.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
const rowsOf = ({ text }: Seen) => [...text.matchAll(/<tr id="schedule-([0-9a-f-]{36})"/g)].map(([, id]) => id!);
const noticeOf = async ({ location }: Seen) => {
  const { text } = await ops.get(location!);
  return /<div class="notice[^>]*>(.*?)<\/div>/s.exec(text)?.[1]?.replaceAll(/<[^>]*>|\s+/g, ' ');
};
const act = (action: string, ids: readonly string[], back = '/schedules?state=all') =>
  confirmed([['action', action], ['back', back], ...ids.map((id) => ['id', id] as const)]);
/** With its question answered, where there is one. */
const confirmed = async (fields: readonly (readonly [string, string])[]) => {
  const asked = await ops.post('/do/change-schedules', fields);
  const seal = /name="seal" value="([^"]+)"/.exec(asked.text)?.[1];
  return seal === undefined ? asked : ops.post('/do/change-schedules', [...fields, ['seal', seal]]);
};

test('schedules are listed by state and filter, the most urgent first, and each has a page', async () => {
  const [first, second] = await schedulesOf('listed', ['Hostname|internet|a.nl', 'Hostname|internet|b.nl']);
  const all = await wall.get('/schedules?state=all&organisation=listed');
  expect(rowsOf(all)).toEqual([first!.id, second!.id]);
  expect(textOf(all)).toContain('default interval');
  expect(
    rowsOf(await wall.get('/schedules?state=all&organisation=listed&ooi=Hostname%7Cinternet%7Cb.nl')),
  ).toHaveLength(1);
  expect(textOf(await wall.get('/schedules?organisation=listed'))).toContain('No schedule that is late matches');
  expect(textOf(all)).toContain('rota schedules list --organisation listed');
  expect(all.text).not.toMatch(/action="\/do\/|type="checkbox"/);
  const seen = await wall.get(`/schedules/${first!.id}`);
  expect(textOf(seen)).toMatch(/State ✔ enabled/);
  expect(textOf(seen)).toMatch(/Latest tasks.*queued/);
  expect(seen.text).not.toMatch(/action="\/do\//);
  for (const path of ['/schedules/nonsense', '/schedules?state=odd', '/schedules?after=x'])
    expect((await wall.get(path)).status, path).toBe(422);
  expect((await wall.get('/schedules/00000000-0000-4000-8000-000000000000')).status).toBe(404);
});

test('pages follow each other by deadline without a gap', async () => {
  const made = await schedulesOf(
    'paged',
    Array.from({ length: 60 }, (_none, n) => `Hostname|internet|${n}.nl`),
  );
  const first = await wall.get('/schedules?state=all&organisation=paged');
  const [, next] = /<a rel="next" href="([^"]*)"/.exec(first.text)!;
  const second = await wall.get(next!.replaceAll('&amp;', '&'));
  expect([...rowsOf(first), ...rowsOf(second)]).toEqual(made.map(({ id }) => id));
  expect(rowsOf(first)).toHaveLength(50);
});

test('a hostile OOI is text', async () => {
  const [made] = await schedulesOf('evil', [hostile]);
  for (const path of ['/schedules?state=all&organisation=evil', `/schedules/${made!.id}`]) {
    const { text } = await ops.get(path);
    expect(text).toContain('&lt;img');
    expect(text).not.toMatch(/<img/);
    expect(text).not.toContain('\u202E');
  }
});

test('ticked schedules are disabled, enabled and made due together; what is refused is told, and the audit has it', async () => {
  const made = await schedulesOf(
    'bulk',
    ['a.nl', 'b.nl', 'c.nl'].map((name) => `Hostname|internet|${name}`),
  );
  const ids = made.map(({ id }) => id);
  expect(await noticeOf(await act('disable', ids.slice(0, 2)))).toContain('2 schedules are disabled');
  expect(await detailsOf(ids[0]!)).toMatchObject({ enabled: false, disabled_reason: 'person' });
  expect(rowsOf(await ops.get('/schedules?state=disabled-by-people&organisation=bulk')).toSorted()).toEqual(
    ids.slice(0, 2).toSorted(),
  );
  const said = await noticeOf(await act('run', ids));
  expect(said).toContain('1 schedule is due now; 2 refused');
  expect(said).toContain('is disabled (person): enable it first');
  expect(await noticeOf(await act('enable', [...ids.slice(0, 2), crypto.randomUUID()]))).toContain(
    '2 schedules are enabled; 1 refused: there is no schedule',
  );
  expect(await noticeOf(await act('enable', []))).toContain('tick a schedule first');
  const { results } = await hand.client.ctl<{ results: { command: string; by: string; fields: object }[] }>('audit');
  expect(results.filter(({ command }) => command.endsWith('-schedules'))).toMatchObject([
    { command: 'enable-schedules', by: 'ops-1', fields: { schedules: 2 } },
    { command: 'run-schedules', fields: { schedules: 1 } },
    { command: 'disable-schedules', fields: { schedules: 2 } },
  ]);
});

test('one schedule is disabled from its page, and Undo enables it', async () => {
  const [made] = await schedulesOf('single', ['Hostname|internet|a.nl']);
  const back = `/schedules/${made!.id}`;
  const { location } = await act('disable', [made!.id], back);
  const seen = await ops.get(location!);
  expect(textOf(seen)).toContain('disabled by a person it stays so until a person enables it');
  expect(seen.text).toMatch(/class="notice good acts".*name="action" value="enable"/s);
});

test('a cron shows its next five runs before it is saved, and one that cannot run says why', async () => {
  const [made] = await schedulesOf('timed', ['Hostname|internet|a.nl']);
  const here = `/schedules/${made!.id}`;
  const tried = await ops.get(`${here}?cron=${encodeURIComponent('0 6 * * 1-5')}`);
  expect(tried.text.match(/<li>\s*\d{4}-\d\d-\d\d 06:00:00 UTC/g)).toHaveLength(5);
  expect((await detailsOf(made!.id)).schedule).toBeNull();
  const bad = await ops.get(`${here}?cron=${encodeURIComponent('99 * * * *')}`);
  expect(textOf(bad)).toMatch(/This cron cannot be used : .*99/);
  expect(bad.text).not.toContain('/do/set-cron');
  const saved = await ops.post('/do/set-cron', [
    ['id', made!.id],
    ['cron', '0 6 * * 1-5'],
    ['back', here],
  ]);
  expect(await noticeOf(saved)).toMatch(/Its cron is 0 6 \* \* 1-5: it runs next at .* 06:00:00 UTC/);
  const details = await detailsOf(made!.id);
  expect(details).toMatchObject({ schedule: '0 6 * * 1-5', inherited: false });
  expect(textOf(await wall.get('/schedules?state=all&organisation=timed'))).toContain('UTC, a person’s');
  const refused = await ops.post('/do/set-cron', [
    ['id', made!.id],
    ['cron', '99 * * * *'],
    ['back', here],
  ]);
  expect(await noticeOf(refused)).toContain('cron: ');
  await ops.post('/do/set-cron', [
    ['id', made!.id],
    ['cron', ''],
    ['back', here],
  ]);
  expect((await detailsOf(made!.id)).schedule).toBeNull();
});

test('who only looks is refused each action', async () => {
  for (const action of ['change-schedules', 'set-cron'])
    expect((await wall.post(`/do/${action}`, [['id', crypto.randomUUID()]])).status).toBe(403);
});
