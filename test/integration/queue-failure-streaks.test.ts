import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/postgres/pool.ts';
import { createQueueInspection, type QueueInspection } from '../../src/queue/lists/inspection.ts';
import { createSchedules, type Schedules } from '../../src/queue/schedules/schedule-crud.ts';
import { createScheduleStore, type ScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import { next } from '../../src/telemetry/events.ts';
import { boefjeTask, popRequest, queueUnderTest } from '../support/queue.ts';
import * as rows from '../support/schedule-rows.ts';
import { createStore } from '../support/schema.ts';

let sql: Sql;
let drop: () => Promise<void>;
let store: ScheduleStore;
let inspection: QueueInspection;
let schedules: Schedules;

beforeAll(async () => {
  ({ sql, drop } = await createStore());
  store = createScheduleStore(sql);
  inspection = createQueueInspection(sql);
  schedules = createSchedules(sql);
});
afterAll(() => drop());
beforeEach(() => sql`TRUNCATE schedules, tasks, queue, rare_outcomes, seen_boefjes CASCADE`);

const hour = 3_600_000;
const beginning = Date.parse('2026-03-01T00:00:00Z');

interface Boefje {
  readonly version?: string | null;
  readonly oci_image?: string | null;
}

/** Tasks of hash `h`, one an hour, oldest first; each took half an hour. */
async function history(statuses: readonly (string | readonly [string, Boefje])[], hash = 'h'): Promise<string[]> {
  const made = statuses.map((one, n) => {
    const [status, boefje] = typeof one === 'string' ? [one, {}] : one;
    const at = (ms: number) => new Date(beginning + n * hour + ms).toISOString();
    const data = JSON.stringify({ boefje: { id: 'dns', ...boefje }, input_ooi: 'x' });
    return { id: randomUUID(), status: status.toUpperCase(), data, created: at(0), modified: at(hour / 2) };
  });
  for (const { id, status, data, created, modified } of made)
    await sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
      VALUES (${id}, 'boefje', 'aa', 'boefje', ${hash}, 2, ${data}::text::jsonb, ${status}, ${created}::text::timestamptz,
        ${modified}::text::timestamptz)`;
  return made.map(({ id }) => id);
}

/** A queue with one task whose first lost lease is its last. */
async function losing() {
  const { queue, sql } = await queueUnderTest({ maxAttempts: 1 });
  await queue.push('boefje', [boefjeTask('x')]);
  const outOfTime = async () => {
    await sql`UPDATE tasks SET unbegun = 2`;
    await sql`UPDATE leases SET until = now() - interval '1 second'`;
  };
  return { queue, sql, outOfTime };
}

const streaks = (...hashes: string[]) => store.failureStreaks('boefje', { hashes });
const endOf = (n: number) => beginning + n * hour + hour / 2;

describe('failures in a row', () => {
  test.each<[string, readonly (string | readonly [string, Boefje])[], [number, number, number] | null]>([
    ['there are none without tasks', [], null],
    ['there are none after a completed task', ['failed', 'failed', 'completed'], null],
    ['one counts', ['completed', 'failed'], [1, 1, 1]],
    ['a completed task ends them', ['failed', 'completed', 'failed', 'failed'], [2, 2, 3]],
    ['cancelled tasks neither count nor end them', ['failed', 'cancelled', 'failed', 'cancelled'], [2, 0, 2]],
    ['a completed task under cancelled ones ends them', ['failed', 'completed', 'cancelled'], null],
    ['nothing that is under way counts', ['failed', 'failed', 'dispatched'], [2, 0, 1]],
    [
      'another version ends them',
      [
        ['failed', { version: '1' }],
        ['failed', { version: '2' }],
        ['failed', { version: '2' }],
      ],
      [2, 1, 2],
    ],
    [
      'another image ends them',
      [
        ['failed', { oci_image: 'a' }],
        ['failed', { oci_image: 'b' }],
      ],
      [1, 1, 1],
    ],
    [
      'a version that is not known, as of mula or of a person, ends nothing; the one before it still counts',
      [
        ['failed', { version: '1' }],
        ['failed', { version: '2' }],
        ['failed', { version: null }],
        'failed',
        ['failed', { version: '2' }],
        'failed',
      ],
      [5, 1, 5],
    ],
  ])('%s', async (_name, statuses, expected) => {
    await history(statuses);
    const found = await streaks('h');
    expect(found.map(({ failures, firstAt, lastAt }) => [failures, firstAt, lastAt])).toEqual(
      expected === null ? [] : [[expected[0], endOf(expected[1]), endOf(expected[2])]],
    );
  });

  test('come with the version and image that failed, and are bounded by ten tasks', async () => {
    await history([['failed', { version: '7', oci_image: 'i:7' }], 'failed'], 'few');
    await history(
      Array.from({ length: 15 }, () => 'failed'),
      'many',
    );
    await history([...Array.from({ length: 12 }, () => 'failed'), 'completed', 'failed'], 'ended');
    const found = await streaks('few', 'many', 'ended', 'absent', 'few');
    expect(found.toSorted((a, b) => (a.hash < b.hash ? -1 : 1))).toMatchObject([
      { hash: 'ended', failures: 1, bounded: false },
      { hash: 'few', failures: 2, bounded: false, version: '7', image: 'i:7' },
      { hash: 'many', failures: 10, bounded: true, version: null, image: null },
    ]);
    expect(await store.failureStreaks('normalizer', { hashes: ['few'] })).toEqual([]);
    expect(await streaks()).toEqual([]);
  });

  test('are fewer where retention has removed the older ones', async () => {
    const [first] = await history(['failed', 'failed', 'failed']);
    await sql`DELETE FROM tasks WHERE id = ${first!}`;
    expect(await streaks('h')).toMatchObject([{ failures: 2, bounded: false }]);
  });

  test('count a task that was lost with its leases', async () => {
    const { queue, sql, outOfTime } = await losing();
    const [lost] = await queue.pop('boefje', popRequest());
    await outOfTime();
    await queue.sweep();
    const [{ hash }] = (await sql`SELECT hash FROM tasks WHERE id = ${lost!.id} AND status = 'FAILED'`) as [
      { hash: string },
    ];
    const found = await createScheduleStore(sql).failureStreaks('boefje', { hashes: [hash] });
    expect(found).toMatchObject([{ failures: 1 }]);
  });

  test('are seen by operators with the task and the schedule', async () => {
    const [, second] = await history(['failed', 'failed']);
    const [other] = await history(['completed'], 'fine');
    const id = await rows.schedule(sql, { hash: 'h' });
    const since = new Date(endOf(0)).toISOString();
    const streak = { failures: 2, bounded: false, since };
    expect(await inspection.details([second!])).toMatchObject([{ id: second, streak }]);
    expect(await inspection.details([other!])).toMatchObject([{ streak: null }]);
    expect(await inspection.schedules([id])).toMatchObject([{ id, streak }]);
  });
});

describe('a deadline that was asked for', () => {
  const asked = async (id: string) => (await store.readSchedules('boefje', { ids: [id] }))[0]!.asked;

  test('is so while it stands, and a recurrence is none', async () => {
    const id = await rows.schedule(sql, { hash: 'h' });
    expect(await asked(id)).toBe(false);
    await schedules.patch(id, { deadlineAt: 'now' });
    const [due] = await store.claimDueSchedules('boefje', { limit: 1 });
    expect(due).toMatchObject({ id, asked: true, byInterval: false });
    await rows.settle(sql, store, [{ id, deadlineAt: new Date(Date.now() + hour).toISOString(), byInterval: true }]);
    expect(await asked(id)).toBe(false);
  });

  test('stays so where it had to wait for the grace period', async () => {
    const id = await rows.schedule(sql, { hash: 'h' });
    await rows.settle(sql, store, [{ id, deadlineAt: new Date(Date.now() + hour).toISOString(), asked: true }]);
    expect(await asked(id)).toBe(true);
    expect(await inspection.schedules([id])).toMatchObject([{ asked: true }]);
    await schedules.patch(id, { enabled: false });
    expect(await asked(id)).toBe(true);
  });

  test('is also that of a schedule which a person enables again, and not of one that was enabled', async () => {
    const id = await rows.schedule(sql, { hash: 'h' });
    await schedules.patch(id, { enabled: true });
    expect(await asked(id)).toBe(false);
    await schedules.patch(id, { enabled: false });
    await schedules.patch(id, { enabled: true });
    expect(await asked(id)).toBe(true);
  });

  test('is also that of a schedule which its boefje or its OOI enabled again', async () => {
    const id = await rows.schedule(sql, { disabled: 'boefje-disabled' });
    await store.enableSchedules('boefje', { organisation: 'aa', reasons: ['boefje-disabled'] });
    expect(await asked(id)).toBe(true);
    const gone = await rows.schedule(sql, { disabled: 'ooi-gone', ooi: 'b' });
    await store.enableSchedules('boefje', { oois: [{ organisation: 'aa', ooi: 'b' }], reasons: ['ooi-gone'] });
    expect(await asked(gone)).toBe(true);
  });
});

test('settlements that waited because of failures are told once a set', async () => {
  const ids = [await rows.schedule(sql), await rows.schedule(sql), await rows.schedule(sql)];
  const told = next('schedules.delayed');
  const deadlineAt = new Date(Date.now() + hour).toISOString();
  await rows.settle(sql, store, [
    { id: ids[0]!, deadlineAt, failures: 2 },
    { id: ids[1]!, deadlineAt },
    { id: ids[2]!, deadlineAt, failures: 6 },
  ]);
  expect(await told).toEqual({ name: 'schedules.delayed', scheduler: 'boefje', failures: [2, 6] });
});
