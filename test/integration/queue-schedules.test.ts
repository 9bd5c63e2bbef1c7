import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/queue/postgres.ts';
import { createScheduleStore, type ScheduleStore } from '../../src/queue/schedules.ts';
import { next } from '../../src/telemetry/events.ts';
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

interface ScheduleFields {
  readonly ooi?: string;
  readonly boefje?: string;
  readonly organisation?: string;
  readonly scheduler?: string;
  readonly hash?: string;
  /** Minutes from now. */
  readonly due?: number | null;
  readonly disabled?: string;
}

async function schedule(fields: ScheduleFields = {}): Promise<string> {
  const id = randomUUID();
  const { ooi = 'Hostname|internet|a.nl', boefje = 'dns', organisation = 'aa', due = -5 } = fields;
  const data = JSON.stringify({ boefje: { id: boefje }, input_ooi: ooi, organization: organisation });
  await sql`INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, disabled_reason, deadline_at)
    VALUES (${id}, ${fields.scheduler ?? 'boefje'}, ${organisation}, ${fields.hash ?? id.slice(0, 32)}, ${data}::text::jsonb,
      ${fields.disabled === undefined}, ${fields.disabled ?? null}, now() + ${due}::float8 * interval '1 minute')`;
  return id;
}

async function task(
  hash: string,
  status: string,
  createdAt = '2025-05-01T10:00:00Z',
  organisation = 'aa',
): Promise<string> {
  const id = randomUUID();
  await sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
    VALUES (${id}, 'boefje', ${organisation}, 'boefje', ${hash}, 2, '{}', ${status}, ${createdAt}::text::timestamptz, '2025-06-01T00:00:00Z')`;
  if (status === 'QUEUED') {
    await sql`INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation)
      VALUES ('boefje', 2, ${createdAt}::text::timestamptz, ${id}, ${hash}, ${organisation})`;
  }
  return id;
}

async function row(id: string) {
  const [found] =
    await sql`SELECT enabled, disabled_reason, schedule, deadline_at, claimed_until FROM schedules WHERE id = ${id}`;
  return found as {
    enabled: boolean;
    disabled_reason: string | null;
    schedule: string | null;
    deadline_at: Date | null;
    claimed_until: Date | null;
  };
}

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
    await store.settleSchedules('boefje', {
      settlements: [
        { id: moved, deadlineAt, schedule: '0 0 * * *' },
        { id: ended, deadlineAt: null, disabled: 'boefje-gone' },
      ],
    });
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

  test('that are settled without a new deadline stay claimed, so that nobody turns in circles', async () => {
    const id = await schedule();
    await claim();
    await store.settleSchedules('boefje', { settlements: [{ id, schedule: '0 0 * * *' }] });
    expect(await claim()).toEqual([]);
    expect((await row(id)).schedule).toBe('0 0 * * *');
  });

  test('that a person disabled meanwhile keep that reason', async () => {
    const id = await schedule({ disabled: 'person' });
    await store.settleSchedules('boefje', { settlements: [{ id, disabled: 'boefje-disabled' }] });
    expect(await row(id)).toMatchObject({ enabled: false, disabled_reason: 'person' });
  });

  test('of another scheduler are not settled', async () => {
    const id = await schedule({ scheduler: 'report' });
    await store.settleSchedules('boefje', { settlements: [{ id, disabled: 'boefje-disabled' }] });
    expect((await row(id)).enabled).toBe(true);
  });

  test('tell how late the oldest is', async () => {
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

describe('an OOI that is gone', () => {
  test('takes its queued tasks and its schedules with it, in its organisation alone', async () => {
    const mine = await schedule({ hash: 'mine' });
    const elsewhere = await schedule({ hash: 'elsewhere', organisation: 'bb' });
    const other = await schedule({ hash: 'other', ooi: 'Hostname|internet|b.nl' });
    const queued = await task('mine', 'QUEUED');
    await task('elsewhere', 'QUEUED', undefined, 'bb');
    await task('other', 'QUEUED');
    const told = next('tasks.changed');

    const answer = await store.forgetOois('boefje', {
      oois: [
        { organisation: 'aa', ooi: 'Hostname|internet|a.nl' },
        { organisation: 'aa', ooi: 'Hostname|internet|a.nl' },
      ],
    });

    expect(answer).toEqual({ cancelled: 1, disabled: 1 });
    expect(await told).toMatchObject({
      status: 'cancelled',
      reason: 'ooi-gone',
      tasks: [{ id: queued, organisation: 'aa' }],
    });
    expect(await row(mine)).toMatchObject({ enabled: false, disabled_reason: 'ooi-gone' });
    expect((await row(elsewhere)).enabled && (await row(other)).enabled).toBe(true);
    expect(await sql`SELECT hash FROM queue ORDER BY hash`).toMatchObject([{ hash: 'elsewhere' }, { hash: 'other' }]);
    expect(await sql`SELECT id, reason FROM tasks WHERE status = 'CANCELLED'`).toMatchObject([
      { id: queued, reason: 'ooi-gone' },
    ]);
    expect(await sql`SELECT task_id, status FROM rare_outcomes`).toMatchObject([
      { task_id: queued, status: 'CANCELLED' },
    ]);
  });

  test('leaves running tasks alone, and the reason of a schedule that was disabled before', async () => {
    const id = await schedule({ hash: 'mine', disabled: 'person' });
    await task('mine', 'RUNNING');
    const oois = [{ organisation: 'aa', ooi: 'Hostname|internet|a.nl' }];
    expect(await store.forgetOois('boefje', { oois })).toEqual({ cancelled: 0, disabled: 0 });
    expect((await row(id)).disabled_reason).toBe('person');
  });
});

describe('schedules come back', () => {
  test('for the reason they went, and where nobody knows it; never against a person', async () => {
    const [gone, disabled, unknown, person, another] = [
      await schedule({ disabled: 'boefje-gone' }),
      await schedule({ disabled: 'boefje-disabled' }),
      await schedule({ disabled: 'unknown' }),
      await schedule({ disabled: 'person' }),
      await schedule({ disabled: 'boefje-disabled', boefje: 'nmap' }),
    ];
    const request = { organisation: 'aa', boefje: 'dns', reasons: ['boefje-disabled'] as const };
    expect(await store.enableSchedules('boefje', request)).toEqual({ enabled: 2 });
    expect((await claim()).toSorted()).toEqual([disabled, unknown].toSorted());
    expect(await row(disabled)).toMatchObject({ enabled: true, disabled_reason: null });
    for (const id of [gone, person, another]) expect((await row(id)).enabled).toBe(false);
  });

  test('for some OOIs only', async () => {
    const raised = await schedule({ disabled: 'scan-level-too-low' });
    const low = await schedule({ disabled: 'scan-level-too-low', ooi: 'Hostname|internet|b.nl' });
    const request = {
      organisation: 'aa',
      oois: ['Hostname|internet|a.nl'],
      reasons: ['scan-level-too-low'] as const,
    };
    expect(await store.enableSchedules('boefje', request)).toEqual({ enabled: 1 });
    expect((await row(raised)).enabled).toBe(true);
    expect((await row(low)).enabled).toBe(false);
  });
});

test('schedules are deleted by hash; their tasks stay', async () => {
  const id = await schedule({ hash: 'mine' });
  const kept = await task('mine', 'COMPLETED');
  await sql`UPDATE tasks SET schedule_id = ${id}`;
  expect(await store.deleteSchedules('report', { hashes: ['mine'] })).toEqual({ deleted: 0 });
  expect(await store.deleteSchedules('boefje', { hashes: ['mine', 'unknown'] })).toEqual({ deleted: 1 });
  expect(await sql`SELECT id, schedule_id FROM tasks`).toMatchObject([{ id: kept, schedule_id: null }]);
});

test('what was seen enabled survives a restart; an organisation never looked at is absent', async () => {
  await store.saveSeenBoefjes('boefje', {
    seen: [
      { organisation: 'aa', boefjes: ['dns'] },
      { organisation: 'bb', boefjes: [] },
    ],
  });
  await store.saveSeenBoefjes('boefje', { seen: [{ organisation: 'aa', boefjes: ['dns', 'nmap'] }] });
  expect(await store.seenBoefjes('boefje', { organisations: ['aa', 'cc'] })).toEqual([
    { organisation: 'aa', boefjes: ['dns', 'nmap'] },
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
