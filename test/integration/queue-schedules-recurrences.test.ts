import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Recurrence } from '../../src/protocol/requests.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { createSchedules } from '../../src/queue/schedules/schedule-crud.ts';
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
const row = (id: string) => rows.scheduleRow(sql, id);
const settle = (...settlements: rows.Settlement[]) => rows.settle(sql, store, settlements);

describe('schedules', () => {
  test('remember the deadline that an interval set, until another one is set', async () => {
    const id = await schedule();
    const byInterval = async () => (await store.readSchedules('boefje', { ids: [id] }))[0]!.byInterval;
    expect(await byInterval()).toBe(false);
    await settle({ id, deadlineAt: '2031-02-03T04:05:06.789Z', byInterval: true });
    expect(await byInterval()).toBe(true);
    await settle({ id, schedule: '0 0 * * *' });
    expect(await byInterval()).toBe(true);
    await sql`UPDATE schedules SET deadline_at = now()`;
    expect(await byInterval()).toBe(false);
    await settle({ id, deadlineAt: '2031-02-03T04:05:06.789Z' });
    expect(await byInterval()).toBe(false);
  });

  test('are disabled for what their recurrence is though no actor claimed them, and enabled again for that alone', async () => {
    const [runOn, person, gone] = [await schedule(), await schedule({ disabled: 'person' }), await schedule()];
    await settle(
      { id: runOn, disabled: 'run-on-only' },
      { id: person, disabled: 'run-on-only' },
      { id: gone, disabled: 'ooi-gone' },
    );
    expect(await row(runOn)).toMatchObject({ enabled: false, disabled_reason: 'run-on-only' });
    expect(await row(person)).toMatchObject({ enabled: false, disabled_reason: 'person' });
    expect(await row(gone)).toMatchObject({ enabled: true });
    await settle({ id: runOn, disabled: null, deadlineAt: '2031-02-03T04:05:06Z' });
    expect(await row(runOn)).toMatchObject({ enabled: true, disabled_reason: null });
  });

  test('of one boefje in one organisation come page by page: the enabled, and what its recurrence disabled', async () => {
    const mine = [
      await schedule(),
      await schedule({ due: null }),
      await schedule({ disabled: 'run-on-only' }),
      await schedule({ disabled: 'cron-unreadable' }),
    ];
    const others = [{ disabled: 'person' }, { boefje: 'nmap' }, { organisation: 'bb' }, { scheduler: 'report' }];
    for (const other of others) await schedule(other);
    const page = async (after: string | null) =>
      (await store.schedulesOfBoefje('boefje', { organisation: 'aa', boefje: 'dns', after, limit: 3 })).map(
        ({ id }) => id,
      );
    const first = await page(null);
    const second = await page(first.at(-1)!);
    expect([first.length, second.length]).toEqual([3, 1]);
    expect([...first, ...second]).toEqual(mine.toSorted());
  });

  test('are added for pairs that have none, disabled where their cron cannot be read', async () => {
    await schedule({ hash: 'there', disabled: 'person' });
    const data = { boefje: { id: 'dns' }, input_ooi: 'a', organization: 'aa' };
    const added = (hash: string, recurrence: Recurrence) => ({ organisation: 'aa', hash, data, recurrence });
    const deadlineAt = '2031-02-03T04:05:06.000Z';
    expect(
      await store.addSchedules('boefje', {
        schedules: [
          added('there', { schedule: null, deadlineAt }),
          added('new', { schedule: null, deadlineAt, byInterval: true }),
          added('bad', { schedule: 'R 2 * * *', inherited: true, deadlineAt: null, disabled: 'cron-unreadable' }),
        ],
      }),
    ).toEqual({ added: 2 });
    const found =
      await sql`SELECT hash, enabled, disabled_reason, schedule, inherited, deadline_at = interval_deadline AS paced
      FROM schedules ORDER BY hash`;
    expect(found).toMatchObject([
      { hash: 'bad', enabled: false, disabled_reason: 'cron-unreadable', schedule: 'R 2 * * *', inherited: true },
      { hash: 'new', enabled: true, paced: true },
      { hash: 'there', enabled: false, disabled_reason: 'person' },
    ]);
  });

  test('that a cron which cannot be read had disabled come back with one that can, and with that alone', async () => {
    const [unreadable, person] = [
      await schedule({ disabled: 'cron-unreadable' }),
      await schedule({ disabled: 'person' }),
    ];
    const records = createSchedules(sql);
    await records.patch(unreadable, { deadlineAt: '2031-02-03T04:05:06Z' });
    expect(await row(unreadable)).toMatchObject({ enabled: false, disabled_reason: 'cron-unreadable' });
    for (const id of [unreadable, person]) await records.patch(id, { schedule: '0 2 * * *' });
    expect(await row(unreadable)).toMatchObject({ enabled: true, disabled_reason: null, schedule: '0 2 * * *' });
    expect(await row(person)).toMatchObject({ enabled: false, disabled_reason: 'person' });
  });
});
