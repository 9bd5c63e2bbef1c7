import { describe, expect, onTestFinished, test } from 'vitest';
import type { DueSchedule, NewTask, ScheduleSettlement } from '../../src/protocol/requests.ts';
import { connect } from '../../src/postgres/pool.ts';
import { createSchedules } from '../../src/queue/schedules/schedule-crud.ts';
import { createScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import { boefjeTask, queueUnderTest } from '../support/queue.ts';
import { scheduleRow } from '../support/schedule-rows.ts';

const tomorrow = '2031-02-03T04:05:00.000Z';

/** A schedule that has fallen due and that the actor is about to decide on. */
async function dueUnderTest() {
  const { queue, sql, url } = await queueUnderTest();
  const store = createScheduleStore(sql);
  const schedules = createSchedules(sql);
  const task = boefjeTask('Hostname|internet|a.nl');
  const [pushed] = await queue.push('boefje', [{ ...task, recurrence: 'default' }]);
  if (pushed?.outcome !== 'queued' || pushed.scheduleId === null) throw new Error('no schedule');
  const id = pushed.scheduleId;
  await queue.pop('boefje', { limit: 1, filters: null, waitMs: 0, leaseMs: 60_000, via: 'nats', worker: null });
  await sql`UPDATE tasks SET status = 'COMPLETED'`;
  await sql`UPDATE schedules SET deadline_at = now() - interval '1 minute'`;
  const [due] = await store.claimDueSchedules('boefje', { limit: 1 });
  const settle = (settlement: Omit<ScheduleSettlement, 'id' | 'version'>) =>
    store.settleSchedules('boefje', { settlements: [{ id, version: due!.version, ...settlement }] });
  return { queue, sql, url, schedules, id, due: due!, settle, task, row: () => scheduleRow(sql, id) };
}

/** What the actor pushes for a due schedule. */
const runOf = (task: NewTask, { version }: DueSchedule): NewTask => ({
  ...task,
  recurrence: { schedule: null, deadlineAt: tomorrow, version },
});

describe('what the actor decided on an older version of a schedule', () => {
  test.for<[string, { enabled?: boolean; schedule?: string; deadlineAt?: string }]>([
    ['that a person disabled', { enabled: false }],
    ['that a person gave a cron', { schedule: '0 3 * * *', deadlineAt: '2030-01-01T03:00:00.000Z' }],
    ['that got a deadline from a person', { deadlineAt: '2029-01-01T00:00:00.000Z' }],
  ])('leaves one %s as that person left it', async ([, patch]) => {
    const { schedules, id, settle, row } = await dueUnderTest();
    await schedules.patch(id, patch);
    const left = await row();
    await settle({ schedule: null, deadlineAt: tomorrow });
    await settle({ disabled: 'boefje-disabled' });
    expect(await row()).toEqual(left);
  });

  test('queues its task, which names the schedule, and keeps the cron and the deadline of a person', async () => {
    const { queue, sql, schedules, id, due, task, row } = await dueUnderTest();
    await schedules.patch(id, { schedule: '0 3 * * *', deadlineAt: '2030-01-01T03:00:00.000Z' });
    const left = await row();
    expect(await queue.push('boefje', [runOf(task, due)])).toMatchObject([{ outcome: 'queued', scheduleId: id }]);
    expect(await row()).toEqual(left);
    expect(await sql`SELECT schedule_id FROM tasks WHERE status = 'QUEUED'`).toMatchObject([{ schedule_id: id }]);
  });

  test('moves an unchanged one on, once, and ends its claim', async () => {
    const { queue, due, task, settle, row } = await dueUnderTest();
    await queue.push('boefje', [runOf(task, due)]);
    const moved = await row();
    expect(moved).toMatchObject({ claimed_until: null, deadline_at: new Date(tomorrow) });
    await settle({ deadlineAt: '2032-01-01T00:00:00.000Z' });
    expect(await row()).toEqual(moved);
  });

  test('waits for a change that is under way, and then leaves it alone: settlement and push', async () => {
    const { queue, sql, url, due, task, settle, row, id } = await dueUnderTest();
    const watcher = connect(url, { max: 1 });
    onTestFinished(() => watcher.end());
    const waitingForLocks = async () =>
      (await watcher`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
        .length;
    const changing = Promise.withResolvers<void>();
    const commit = Promise.withResolvers<void>();
    onTestFinished(() => commit.resolve());
    const change = sql.begin(async (person) => {
      await person`UPDATE schedules SET schedule = '0 3 * * *', deadline_at = '2030-01-01T03:00:00Z', modified_at = now()
        WHERE id = ${id}`;
      changing.resolve();
      await commit.promise;
    });
    await changing.promise;
    const decided = [queue.push('boefje', [runOf(task, due)]), settle({ schedule: null, deadlineAt: tomorrow })];
    // Both wait for the lock of the person's change, with a snapshot from before it.
    await expect.poll(waitingForLocks, { timeout: 10_000 }).toBe(2);
    commit.resolve();
    await Promise.all([change, ...decided]);
    expect(await row()).toMatchObject({ schedule: '0 3 * * *', deadline_at: new Date('2030-01-01T03:00:00Z') });
  });
});
