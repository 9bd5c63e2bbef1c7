import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import type { AuditView } from '../../src/protocol/operator-status.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { type Seen, visit, type Visitor } from '../support/visitor.ts';
import { boefjeTask } from '../support/wire.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const [operator, reader] = [newToken('ops-1', 'operate'), newToken('wall', 'read')] as const;

let hand: RotaAtHand;
let sql: Sql;
let ops: Visitor;
let wall: Visitor;

beforeAll(async () => {
  hand = await startRotaAtHand({
    SCHEDULER_API_TOKENS: [operator.line, reader.line].join(','),
    SCHEDULER_PAGE_PORT: '0',
  });
  sql = connect(hand.databaseUrl, { max: 2 });
  ops = await visit(hand.rota.page!, operator.token);
  wall = await visit(hand.rota.page!, reader.token);
});
afterAll(async () => {
  await sql.end();
  await hand.stop();
});

/** @returns their ids, oldest first */
async function push(organisation: string, many: number): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < many; from += 500) {
    const batch = Array.from({ length: Math.min(500, many - from) }, (_, n) =>
      boefjeTask(organisation, `Hostname|internet|${from + n}.example`),
    );
    for (const item of await hand.client.push('boefje', batch)) ids.push((item as { readonly id: string }).id);
  }
  return ids;
}

const countOf = async (organisation: string, status: string) => {
  const rows = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM tasks
    WHERE organisation = ${organisation} AND status = ${status.toUpperCase()}::taskstatus`;
  return rows[0]!.n;
};

/** The fields of the form with all that match, as the list has them. */
function allOf({ text }: Seen): readonly (readonly [string, string])[] {
  const form = /All that match the filter<\/h2>\s*<form.*?<\/form>/s.exec(text)![0];
  return [...form.matchAll(/name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [name!, value!] as const);
}

const wordsOf = ({ text }: Seen) =>
  /<section id="progress">.*?data-say>(.*?)<\/p>/s.exec(text)?.[1]?.replaceAll(/<[^>]*>|\s+/g, ' ');
const figureOf = ({ text }: Seen, name: string) =>
  Number(new RegExp(`<dt>${name}</dt>\\s*<dd>\\s*<data value="(\\d+)"`).exec(text)?.[1]);

test('all that match are cancelled: confirmed by their number, seen by everybody, those made later stay', async () => {
  await push('bulk', 1_200);
  const list = await ops.get('/tasks?organisation=bulk&status=queued');
  const later = await hand.client.push('boefje', boefjeTask('bulk', 'Hostname|internet|later.example'));
  const asked = await ops.post('/do/cancel-all', allOf(list));
  expect(asked.text).toContain('Cancel 1,200 queued tasks of bulk?');
  expect(asked.text).toMatch(/Those made after [0-9-]+ [0-9:]+ UTC stay as they are/);
  expect(asked.text).toContain('Nothing keeps them from being scheduled again.');
  expect((await ops.confirm(asked, { typed: '12' })).text).toContain('that was something else');
  const begun = await ops.confirm(asked, { typed: '1200', note: 'wrong scope' });
  expect(begun.location).toMatch(/^\/jobs\/[0-9a-f-]{36}$/);
  await expect.poll(async () => wordsOf(await wall.get(begun.location!)), { timeout: 60_000 }).toContain('done:');
  const done = await wall.get(begun.location!);
  expect([figureOf(done, 'cancelled'), figureOf(done, 'refused')]).toEqual([1_200, 0]);
  expect(done.text).not.toContain('/do/');
  expect([await countOf('bulk', 'cancelled'), await countOf('bulk', 'queued')]).toEqual([1_200, 1]);
  expect((await ops.get(`/tasks/${later.id}`)).text).toContain('it waits for its turn');
  const { results } = await hand.client.ctl<{ results: AuditView[] }>('audit', { organisation: 'bulk' });
  expect(results.at(-1)).toMatchObject({
    command: 'bulk-job',
    by: 'ops-1',
    fields: { action: 'cancel', expected: 1_200, why: 'wrong scope' },
  });
  const all = await hand.client.ctl<{ results: AuditView[] }>('audit', {});
  const ended = all.results.find(({ command, fields }) => command === 'bulk-job' && fields['state'] !== undefined);
  expect(ended).toMatchObject({ by: 'ops-1', fields: { state: 'done', tasks: 1_200, refused: 0 } });
});

test('of 3 000 a job waits for one that is locked, is stopped there, and leaves the rest as it is', async () => {
  const ids = await push('stopped', 3_000);
  const asked = await ops.post('/do/cancel-all', allOf(await ops.get('/tasks?organisation=stopped&status=queued')));
  // Batches are newest first: this one is in the third.
  const release = await locked(ids[1_800]!);
  const { location } = await ops.confirm(asked, { typed: '3000' });
  await expect.poll(async () => figureOf(await ops.get(location!), 'cancelled'), { timeout: 60_000 }).toBe(1_000);
  const other = await wall.get('/');
  expect(other.text).toMatch(/ops-1: Cancel the queued tasks of stopped: 1,000 of 3,000, 33 %/);
  const stop = /name="job" value="([^"]+)"/.exec((await ops.get(location!)).text)![1]!;
  await ops.post('/do/stop-job', [['job', stop]]);
  await release();
  await expect.poll(async () => wordsOf(await ops.get(location!)), { timeout: 60_000 }).toContain('stopped:');
  const ended = await ops.get(location!);
  expect(ended.text).toContain('stopped by ops-1');
  const cancelled = figureOf(ended, 'cancelled');
  expect(cancelled).toBeLessThanOrEqual(1_500);
  expect(await countOf('stopped', 'queued')).toBe(3_000 - (await countOf('stopped', 'cancelled')));
  expect(await countOf('stopped', 'queued')).toBeGreaterThanOrEqual(1_500);
});

test('a selection that has grown since it was confirmed is asked about again, and a confirmation is used once', async () => {
  const ids = await push('grown', 30);
  await hand.client.ctl('change-tasks', { action: 'cancel', ids: ids.slice(10) });
  const asked = await ops.post('/do/cancel-all', allOf(await ops.get('/tasks?organisation=grown&status=queued')));
  expect(asked.text).toContain('Cancel 10 queued tasks of grown?');
  await hand.client.ctl('change-tasks', { action: 'retry', ids: ids.slice(10) });
  const again = await ops.confirm(asked, { note: 'wrong scope' });
  expect([again.status, again.location]).toEqual([200, null]);
  expect(again.text).toContain('Cancel 30 queued tasks of grown?');
  expect(again.text).toContain('There were 10 when you were asked before.');
  expect(again.text).toContain('wrong scope');
  expect(await countOf('grown', 'queued')).toBe(30);
  const begun = await ops.confirm(again);
  await expect.poll(async () => wordsOf(await ops.get(begun.location!)), { timeout: 60_000 }).toContain('done:');
  await hand.client.ctl('change-tasks', { action: 'retry', ids });
  expect((await ops.confirm(again)).text).toContain('Cancel 30 queued tasks of grown?');
  expect(await countOf('grown', 'queued')).toBe(30);
});

/** A transaction that holds a task, so that whoever changes it waits. @returns what ends it */
async function locked(id: string): Promise<() => Promise<void>> {
  const { promise: until, resolve: end } = Promise.withResolvers<void>();
  const { promise: held, resolve: hold } = Promise.withResolvers<void>();
  const holding = sql.begin(async (client) => {
    await client`SELECT FROM tasks WHERE id = ${id} FOR UPDATE`;
    hold();
    await until;
  });
  await held;
  return async () => {
    end();
    await holding;
  };
}

test('what is refused is counted and listed with its reason; the others are changed', async () => {
  const ids = await push('partly', 40);
  await hand.client.ctl('change-tasks', { action: 'cancel', ids });
  // The same work again: of these, the cancelled tasks cannot be queued beside it.
  await push('partly', 10);
  const list = await ops.get('/tasks?organisation=partly&status=cancelled');
  const begun = await ops.confirm(await ops.post('/do/retry-all', allOf(list)));
  await expect.poll(async () => wordsOf(await ops.get(begun.location!)), { timeout: 60_000 }).toContain('done:');
  const done = await ops.get(begun.location!);
  expect([figureOf(done, 'queued again'), figureOf(done, 'refused')]).toEqual([30, 10]);
  expect(done.text).toContain('10 CONFLICT');
  for (const id of ids.slice(0, 10)) expect(done.text).toContain(`/tasks/${id}`);
  expect(await countOf('partly', 'queued')).toBe(40);
});

test('a job that nobody knows is a sentence', async () => {
  const { status, text } = await ops.get(`/jobs/${randomUUID()}`);
  expect(status).toBe(404);
  expect(text).toContain('there is no such bulk job');
});
