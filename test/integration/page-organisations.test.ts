import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import { forecast } from '../../src/control/forecast.ts';
import type { DayView, OrganisationDetails, OrganisationPage } from '../../src/protocol/operator-organisations.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { type Seen, visit, type Visitor } from '../support/visitor.ts';
import { boefjeTask } from '../support/wire.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const [operator, reader] = [newToken('ops-1', 'operate'), newToken('wall', 'read')] as const;
const hostile = '"><img src=x onerror=alert(1)>\u202Eevil';
const at = (code: string) => `/organisations/${encodeURIComponent(code)}`;

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

async function push(organisation: string, count: number, boefje?: string): Promise<void> {
  await hand.client.push(
    'boefje',
    Array.from({ length: count }, (_none, n) => boefjeTask(organisation, `Hostname|internet|${n}.nl`, boefje)),
  );
}

/** The sweeper folds changes into the roll-ups each second, later on a busy machine. */
const rolledUp = <T>(seen: () => Promise<T>) => vi.waitFor(seen, { timeout: 20_000, interval: 100 });

/** Once the roll-up, which is a second old at most, has so many queued of it. */
async function counted(organisation: string, queued: number): Promise<OrganisationPage> {
  return rolledUp(async () => {
    const page = await hand.client.ctl<OrganisationPage>('organisations', { prefix: organisation });
    const [found] = page.results;
    expect(found?.schedulers.reduce((sum, it) => sum + it.queued, 0)).toBe(queued);
    return page;
  });
}

const textOf = ({ text }: Seen) => text.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
const noticeOf = async ({ location }: Seen) => {
  const seen = await ops.get(location!);
  return /<div class="notice[^>]*>(.*?)<\/div>/s.exec(seen.text)?.[1]?.replaceAll(/<[^>]*>|\s+/g, ' ');
};
const fields = (of: Readonly<Record<string, string>>) => Object.entries(of);

test('organisations are listed by what is queued, with a column of each scheduler, and found by the beginning of their codes', async () => {
  await push('list-b', 3);
  await push('list-a', 5);
  await push('other', 1);
  await counted('list-a', 5);
  await counted('list-b', 3);
  const all = await wall.get('/organisations');
  expect(all.status).toBe(200);
  expect(all.text.indexOf('list-a')).toBeLessThan(all.text.indexOf('list-b'));
  for (const head of ['boefje', 'normalizer', 'report', 'Of the queue', 'Why'])
    expect(all.text).toMatch(new RegExp(`<th scope="col"[^>]*>\\s*${head}\\s*</th>`));
  const some = await wall.get('/organisations?prefix=list-&scheduler=boefje');
  expect(some.text).toContain('list-b');
  expect(some.text).not.toContain('/organisations/other');
  expect(textOf(some)).toContain('Queued (boefje)');
  expect(textOf(await wall.get('/organisations?prefix=nobody'))).toContain('No organisation begins with nobody');
  expect(textOf(some)).toContain('rota queue boefje --by organisation');
});

test('pages follow each other without a gap', async () => {
  const codes = Array.from({ length: 53 }, (_none, n) => `paged-${String(n).padStart(2, '0')}`);
  for (const code of codes) await push(code, 1);
  await rolledUp(async () => {
    const { count } = await hand.client.ctl<OrganisationPage>('organisations', { prefix: 'paged-' });
    expect(count).toBe(53);
  });
  const pages = await Promise.all([1, 2].map((page) => wall.get(`/organisations?prefix=paged-&page=${page}`)));
  const found = pages.map(({ text }) => [...text.matchAll(/<tr id="org-(paged-\d+)"/g)].map(([, code]) => code));
  expect(found.map(({ length }) => length)).toEqual([50, 3]);
  expect(new Set(found.flat())).toEqual(new Set(codes));
  expect(pages[0]!.text).toContain('page=2');
  expect((await wall.get('/organisations?page=x')).status).toBe(422);
});

test('a hostile code is text, and its page is found by its link', async () => {
  await push(hostile, 2);
  await counted(hostile, 2);
  const list = await ops.get('/organisations?prefix=%22');
  const [, link] = /<td[^>]*>\s*<a href="(\/organisations\/[^"]+)">/.exec(list.text)!;
  for (const seen of [list, await ops.get(link!), await ops.post('/do/purge', fields({ organisation: hostile }))]) {
    expect(seen.status).toBe(200);
    expect(seen.text).not.toMatch(/<img/);
    // Hidden fields of forms have the very name.
    expect(seen.text.replaceAll(/<input\s+type="hidden"[^>]*>/g, '')).not.toContain('\u202E');
  }
  expect(link).toBe(at(hostile));
});

test('an organisation shows what waits, what failed, its share, and a sample of its boefjes', async () => {
  await push('one', 4, 'dns');
  const [task] = await hand.client.pop('boefje', {
    limit: 1,
    filters: { filters: [{ column: 'organisation', operator: 'eq', value: 'one' }] },
  });
  const { id, lease_id } = task!;
  await hand.client.patch({ id, lease_id, status: 'failed' });
  await counted('one', 3);
  const details = await rolledUp(async () => {
    const found = await hand.client.ctl<OrganisationDetails>('organisation', { organisation: 'one' });
    expect(found.hours).toMatchObject([{ scheduler: 'boefje', completed: 0, failed: 1 }]);
    return found;
  });
  expect(details.known).toBe(true);
  expect(details.plugins).toMatchObject([{ plugin: 'dns', queued: 3, ended: 1, failed: 1 }]);
  const [boefje] = details.schedulers;
  expect(boefje).toMatchObject({ queued: 3, held: 0, at_work: 0, fair: { weight: 1 } });
  expect(boefje!.fair!.next_rank! - boefje!.fair!.virtual_time!).toBeLessThanOrEqual(2_000);
  const seen = await wall.get(at('one'));
  expect(textOf(seen)).toMatch(/Waiting 3 Held 0 At work 0 Failed in 24 h 1/);
  expect(seen.text).toMatch(/<rect class="failed"/);
  expect(seen.text).toMatch(/<details>\s*<summary>As a table/);
  expect(textOf(seen)).toContain('A sample: of the next 1 000 queued tasks');
  expect(seen.text).not.toMatch(/action="\/do\//);
  expect(textOf(await wall.get(at('never-seen')))).toContain('Nothing of it was ever seen here');
});

test('a pause says in numbers what it does before it does it, and is shown and undone where the organisation is', async () => {
  await push('paused-1', 6, 'dns');
  await push('paused-1', 2, 'nmap');
  await counted('paused-1', 8);
  const key = { scheduler: 'boefje', organisation: 'paused-1', back: at('paused-1') };
  const asked = await ops.post('/do/pause', fields({ ...key, boefje: 'nmap' }));
  expect(textOf(asked)).toContain('Holds 2 tasks that wait now');
  const whole = await ops.post('/do/pause', fields({ ...key, boefje: '' }));
  expect(textOf(whole)).toMatch(/Holds 8 tasks.*Ends 0:/);
  expect(await noticeOf(await ops.confirm(whole, { note: 'migration' }))).toContain('8 tasks are held');
  const seen = await ops.get(at('paused-1'));
  expect(textOf(seen)).toMatch(/Held 8 .*migration/);
  expect(textOf(await wall.get('/organisations?prefix=paused-1'))).toMatch(
    /not while it is held.*paused by ops-1 *: migration/,
  );
  expect(seen.text).toContain('<rect class="mark"');
  expect(await noticeOf(await ops.post('/do/resume', fields(key)))).toContain('8 tasks may be handed out again');
});

test('a weight is set after its effect was said, taken back, and refused outside its range where the button is', async () => {
  await push('heavy', 1);
  const key = { scheduler: 'boefje', organisation: 'heavy', back: at('heavy') };
  const asked = await ops.post('/do/set-weight', fields({ ...key, weight: '4' }));
  expect(textOf(asked)).toContain('Holds for what is queued from now on');
  expect(textOf(asked)).toContain('rota rerank boefje');
  expect(await noticeOf(await ops.confirm(asked))).toContain('heavy has weight 4 in boefje from now on, not 1');
  const details = await hand.client.ctl<OrganisationDetails>('organisation', { organisation: 'heavy' });
  expect(details.schedulers[0]!.fair!.weight).toBe(4);
  for (const weight of ['0', 'x', '1e9']) {
    const refused = await ops.post('/do/set-weight', fields({ ...key, weight }));
    expect(refused.location).toBe(at('heavy'));
    expect(await noticeOf(refused)).toContain('weight: expected a number');
  }
});

test('a purge counts what goes, wants the code typed, and removes it', async () => {
  await push('gone', 3);
  await counted('gone', 3);
  await hand.client.ctl('pause', { scheduler: 'boefje', organisation: 'gone' });
  const asked = await ops.post('/do/purge', fields({ organisation: 'gone', back: at('gone') }));
  expect(textOf(asked)).toMatch(/Cancels 3 queued tasks\. Deletes 3 schedules.* Ends 1 pauses/);
  const wrong = await ops.confirm(asked, { typed: 'other' });
  expect(textOf(wrong)).toContain('that was something else');
  expect(await noticeOf(await ops.confirm(wrong, { typed: 'gone' }))).toContain('3 queued tasks cancelled');
  await counted('gone', 0);
});

test('who only looks is refused each action', async () => {
  for (const action of ['pause', 'purge', 'set-weight', 'resume'])
    expect((await wall.post(`/do/${action}`, fields({ scheduler: 'boefje', organisation: 'one' }))).status).toBe(403);
});

test('real pops end each organisation about when the forecast says', async () => {
  const sizes = [
    ['turn-a', 30],
    ['turn-b', 12],
    ['turn-c', 4],
  ] as const;
  for (const [code, count] of sizes) await push(code, count, 'turns');
  const filters = { filters: [{ column: 'data', field: 'boefje__id', operator: 'eq' as const, value: 'turns' }] };
  const order: string[] = [];
  for (let popped = 0; popped < 46; popped += 1) {
    const [task] = await hand.client.pop('boefje', { limit: 1, filters });
    order.push(task!.organisation);
  }
  const expected = forecast(
    sizes.map(([name, waiting]) => ({ name, waiting, weight: 1 })),
    1,
  );
  for (const [name, place] of expected) expect(Math.abs(order.lastIndexOf(name) + 1 - place)).toBeLessThanOrEqual(3);
});

test('the last 24 hours: organisations of an hour, on one axis with what people did and what broke, without a script', async () => {
  await push('day-a', 2);
  const popped = await hand.client.pop('boefje', { limit: 100 });
  const mine = popped.filter(({ organisation }) => organisation === 'day-a');
  await Promise.all(mine.map(({ id, lease_id }) => hand.client.patch({ id, lease_id, status: 'completed' })));
  // The day is kept for a minute: it is asked for once the roll-up has them.
  await rolledUp(async () => {
    const { hours } = await hand.client.ctl<OrganisationDetails>('organisation', { organisation: 'day-a' });
    expect(hours).toMatchObject([{ completed: 2 }]);
  });
  const { hours: day } = await hand.client.ctl<DayView>('day', {});
  expect(day.at(-1)!.largest).toContainEqual({ organisation: 'day-a', completed: 2, failed: 0 });
  const now = `${new Date().toISOString().slice(0, 13)}:00:00.000Z`;
  const number = Math.floor(Date.parse(now) / 3_600_000);
  // The slider sends a number.
  const moved = await wall.get(`/organisations?at=${number}`);
  expect(moved.location).toBe(`/organisations?${String(new URLSearchParams({ at: now }))}`);
  const seen = await wall.get(moved.location!);
  expect(textOf(seen)).toContain('supervisor ✔ started');
  expect(seen.text.match(/<a href="\/organisations\?at=[^"]*" aria-current="true"/g)).toHaveLength(1);
  expect(seen.text).toContain('href="/organisations/day-a"');
  expect((await wall.get('/organisations?at=never')).status).toBe(422);
  expect((await wall.get('/organisations?at=2020-01-01T00:00:00Z')).status).toBe(404);
});
