import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/postgres/pool.ts';
import { createScheduleStore, type ScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import { next } from '../../src/telemetry/events.ts';
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
const claim = async (limit = 100) => (await store.claimDueSchedules('boefje', { limit })).map(({ id }) => id);

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
  test('for the reason they went, and for an unknown reason; never against a person', async () => {
    const [gone, disabled, unknown, person, another] = [
      await schedule({ disabled: 'boefje-gone' }),
      await schedule({ disabled: 'boefje-disabled' }),
      await schedule({ disabled: 'unknown' }),
      await schedule({ disabled: 'person' }),
      await schedule({ disabled: 'boefje-disabled', boefje: 'nmap' }),
    ];
    const request = { organisation: 'aa', boefjes: ['dns', 'fierce'], reasons: ['boefje-disabled'] as const };
    expect(await store.enableSchedules('boefje', request)).toEqual({ enabled: 2 });
    expect((await claim()).toSorted()).toEqual([disabled, unknown].toSorted());
    expect(await row(disabled)).toMatchObject({ enabled: true, disabled_reason: null });
    for (const id of [gone, person, another]) expect((await row(id)).enabled).toBe(false);
  });

  test('or stay, where the clearance was raised while they were examined for what it was before', async () => {
    const [raised, low] = [await schedule(), await schedule({ ooi: 'Hostname|internet|b.nl' })];
    await claim();
    const oois = [{ organisation: 'aa', ooi: 'Hostname|internet|a.nl' }];
    const request = { oois, reasons: ['scan-level-too-low'] as const };
    expect(await store.enableSchedules('boefje', request)).toEqual({ enabled: 0 });
    await rows.settle(
      sql,
      store,
      [raised, low].map((id) => ({ id, disabled: 'scan-level-too-low' as const })),
    );
    expect(await row(raised)).toMatchObject({ enabled: true, disabled_reason: null });
    expect(await row(low)).toMatchObject({ enabled: false, disabled_reason: 'scan-level-too-low' });
    expect(await claim()).toEqual([raised]);
  });

  test('for some OOIs only, each of its organisation', async () => {
    const disabled = 'scan-level-too-low';
    const [ooi, another] = ['Hostname|internet|a.nl', 'Hostname|internet|b.nl'];
    const [raised, raisedToo] = [
      await schedule({ disabled }),
      await schedule({ disabled, organisation: 'bb', ooi: another }),
    ];
    const low = [await schedule({ disabled, ooi: another }), await schedule({ disabled, organisation: 'bb' })];
    const oois = [
      { organisation: 'aa', ooi },
      { organisation: 'bb', ooi: another },
      { organisation: 'aa', ooi },
    ];
    expect(await store.enableSchedules('boefje', { oois, reasons: [disabled] })).toEqual({ enabled: 2 });
    for (const id of [raised, raisedToo]) expect((await row(id)).enabled).toBe(true);
    for (const id of low) expect((await row(id)).enabled).toBe(false);
    expect(await store.enableSchedules('boefje', { oois: [], reasons: [disabled] })).toEqual({ enabled: 0 });
  });
});
