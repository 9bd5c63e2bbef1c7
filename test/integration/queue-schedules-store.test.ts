import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/postgres/pool.ts';
import { createScheduleStore, type ScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import * as rows from '../support/schedule-rows.ts';
import { createStore } from '../support/schema.ts';

let sql: Sql;
let drop: () => Promise<void>;
let store: ScheduleStore;

beforeAll(async () => {
  ({ sql, drop } = await createStore());
  store = createScheduleStore(sql);
});
afterAll(() => drop());
beforeEach(() => sql`TRUNCATE schedules, tasks, queue, rare_outcomes, seen_boefjes CASCADE`);

const schedule = (fields?: rows.ScheduleFields) => rows.schedule(sql, fields);
const task = (hash: string, status: string, createdAt?: string, organisation?: string) =>
  rows.task(sql, hash, status, createdAt, organisation);
const row = (id: string) => rows.scheduleRow(sql, id);
const settle = (...settlements: rows.Settlement[]) => rows.settle(sql, store, settlements);
const claim = async (limit = 100) => (await store.claimDueSchedules('boefje', { limit })).map(({ id }) => id);

test('the latest task of a hash counts, of this scheduler alone', async () => {
  await task('h1', 'FAILED', '2025-05-01T10:00:00Z');
  const latest = await task('h1', 'CANCELLED', '2025-05-02T10:00:00.5Z');
  expect(await store.latestTasks('boefje', { hashes: ['h1', 'h1', 'h2'] })).toEqual([
    {
      hash: 'h1',
      id: latest,
      status: 'cancelled',
      createdAt: Date.parse('2025-05-02T10:00:00.5Z'),
      modifiedAt: Date.parse('2025-06-01T00:00:00Z'),
    },
  ]);
  expect(await store.latestTasks('normalizer', { hashes: ['h1'] })).toEqual([]);
});

describe('due schedules', () => {
  test('come oldest deadline first, and only what is due, enabled and of this scheduler', async () => {
    const younger = await schedule({ due: -1 });
    const oldest = await schedule({ due: -60 });
    await Promise.all([
      schedule({ due: 5 }),
      schedule({ due: null }),
      schedule({ disabled: 'person' }),
      schedule({ scheduler: 'report' }),
    ]);
    const due = await store.claimDueSchedules('boefje', { limit: 10 });
    expect(due.map(({ id }) => id)).toEqual([oldest, younger]);
    expect(due[0]).toMatchObject({
      organisation: 'aa',
      enabled: true,
      schedule: null,
      data: { boefje: { id: 'dns' } },
    });
    expect(due[0]!.deadlineAt).toBe((await row(oldest)).deadline_at!.getTime());
  });

  test('of organisations to pass over are left for others, also where nothing else is due', async () => {
    const left = await schedule({ organisation: 'bb', due: -60 });
    const taken = await schedule({ organisation: 'aa' });
    const except = (...organisations: string[]) =>
      store.claimDueSchedules('boefje', { limit: 10, except: organisations });
    expect((await except('bb', 'cc')).map(({ id }) => id)).toEqual([taken]);
    expect(await except('bb')).toEqual([]);
    expect(await claim()).toEqual([left]);
  });

  test('are examined by one claimer only, however many ask at once', async () => {
    const all = await Promise.all(Array.from({ length: 40 }, (_, n) => schedule({ due: -n - 1 })));
    const claims = await Promise.all(Array.from({ length: 8 }, () => claim(10)));
    expect(claims.flat().toSorted()).toEqual(all.toSorted());
    expect(await claim()).toEqual([]);
  });

  test('that were settled are done with until their new deadline', async () => {
    const [moved, ended] = [await schedule({ due: -2 }), await schedule({ due: -1 })];
    await claim();
    const deadlineAt = new Date(Date.now() + 3_600_000).toISOString();
    await settle(
      { id: moved, deadlineAt, schedule: '0 0 * * *' },
      { id: ended, deadlineAt: null, disabled: 'boefje-gone' },
    );
    expect(await claim()).toEqual([]);
    expect(await row(moved)).toMatchObject({ enabled: true, schedule: '0 0 * * *', claimed_until: null });
    expect((await row(moved)).deadline_at!.toISOString()).toBe(deadlineAt);
    expect(await row(ended)).toMatchObject({ enabled: false, disabled_reason: 'boefje-gone', deadline_at: null });
  });

  test('whose claim has ended without a settlement come back', async () => {
    const id = await schedule();
    await claim();
    await sql`UPDATE schedules SET claimed_until = now() - interval '1 second'`;
    expect(await claim()).toEqual([id]);
  });

  test('that are settled without a new deadline stay claimed, so that no actor claims them in a loop', async () => {
    const id = await schedule();
    await claim();
    await settle({ id, schedule: '0 0 * * *' });
    expect(await claim()).toEqual([]);
    expect((await row(id)).schedule).toBe('0 0 * * *');
  });

  test('that a person disabled meanwhile keep that reason', async () => {
    const id = await schedule({ disabled: 'person' });
    await settle({ id, disabled: 'boefje-disabled' });
    expect(await row(id)).toMatchObject({ enabled: false, disabled_reason: 'person' });
  });

  test("remember whether their cron is the boefje's, so that it goes when the boefje's goes", async () => {
    const id = await schedule();
    const read = async () => (await store.readSchedules('boefje', { ids: [id] }))[0];
    await settle({ id, schedule: '0 0 * * *', inherited: true });
    expect(await read()).toMatchObject({ schedule: '0 0 * * *', inherited: true });
    expect(await store.claimDueSchedules('boefje', { limit: 1 })).toMatchObject([{ inherited: true }]);
    await settle({ id, deadlineAt: null });
    expect(await read()).toMatchObject({ schedule: '0 0 * * *', inherited: true });
    await settle({ id, schedule: null, inherited: false });
    expect(await read()).toMatchObject({ schedule: null, inherited: false });
  });

  test('that their boefje left disabled make it one to look for again, though it is back before the next look', async () => {
    const seen = async () => (await store.seenBoefjes('boefje', { organisations: ['aa'] }))[0]?.boefjes;
    await store.saveSeenBoefjes('boefje', {
      seen: [{ organisation: 'aa', boefjes: ['dns', 'nmap', 'tls'], recurrences: {} }],
    });
    const [dns, nmap, tls] = await Promise.all(['dns', 'nmap', 'tls'].map((boefje) => schedule({ boefje })));
    await claim();
    await settle(
      { id: dns!, disabled: 'boefje-disabled' },
      { id: nmap!, disabled: 'ooi-gone' },
      { id: tls!, deadlineAt: '2031-02-03T04:05:00Z' },
    );
    expect(await seen()).toEqual(['nmap', 'tls']);
  });

  test('of another scheduler are not settled', async () => {
    const id = await schedule({ scheduler: 'report' });
    await settle({ id, disabled: 'boefje-disabled' });
    expect((await row(id)).enabled).toBe(true);
  });

  test('report how late the oldest is', async () => {
    expect(await store.scheduleLag('boefje')).toBe(0);
    await schedule({ due: 10 });
    expect(await store.scheduleLag('boefje')).toBe(0);
    await schedule({ due: -10 });
    expect(await store.scheduleLag('boefje')).toBeGreaterThanOrEqual(600);
  });

  test('are read by id whatever their deadline', async () => {
    const id = await schedule({ due: null, disabled: 'person' });
    expect(await store.readSchedules('boefje', { ids: [id, randomUUID()] })).toMatchObject([
      { id, enabled: false, deadlineAt: null },
    ]);
  });
});

test('schedules are deleted by hash, for any caller; their tasks stay', async () => {
  const id = await schedule({ hash: 'mine' });
  const kept = await task('mine', 'COMPLETED');
  await sql`UPDATE tasks SET schedule_id = ${id}`;
  expect(await store.deleteSchedules('normalizer', { hashes: ['mine', 'unknown'] })).toEqual({ deleted: 1 });
  expect(await sql`SELECT id, schedule_id FROM tasks`).toMatchObject([{ id: kept, schedule_id: null }]);
});

test('what was seen enabled survives a restart; an organisation never looked at is absent', async () => {
  await store.saveSeenBoefjes('boefje', {
    seen: [
      { organisation: 'aa', boefjes: ['dns'], recurrences: {} },
      { organisation: 'bb', boefjes: [], recurrences: {} },
    ],
  });
  await store.saveSeenBoefjes('boefje', { seen: [{ organisation: 'aa', boefjes: ['dns', 'nmap'], recurrences: {} }] });
  expect(await store.seenBoefjes('boefje', { organisations: ['aa', 'cc'] })).toEqual([
    { organisation: 'aa', boefjes: ['dns', 'nmap'], recurrences: {} },
  ]);
  expect(await store.seenBoefjes('boefje', {})).toHaveLength(2);
});

test('empty sets answer empty', async () => {
  expect(await store.latestTasks('boefje', { hashes: [] })).toEqual([]);
  expect(await store.readSchedules('boefje', { ids: [] })).toEqual([]);
  expect(await store.forgetOois('boefje', { oois: [] })).toEqual({ cancelled: 0, disabled: 0 });
  expect(await store.deleteSchedules('boefje', { hashes: [] })).toEqual({ deleted: 0 });
  expect(await store.settleSchedules('boefje', { settlements: [] })).toBeNull();
});
