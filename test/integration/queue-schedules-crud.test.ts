import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ListBounds } from '../../src/queue/lists/page.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { createSchedules, type ScheduleCreation, type Schedules } from '../../src/queue/schedules/schedule-crud.ts';
import type { Schedule } from '../../src/tasks/task.ts';
import { createStore } from '../support/schema.ts';

let sql: Sql;
let drop: () => Promise<void>;
let schedules: Schedules;

beforeAll(async () => {
  ({ sql, drop } = await createStore());
  schedules = createSchedules(sql);
});
afterAll(() => drop());

const bounds: ListBounds = { offset: 0, limit: 10, filters: null, countPages: null };
const jsonOf = <T>(text: string | null): T => JSON.parse(text!) as T;

describe('schedules that people see', () => {
  beforeEach(() => sql`TRUNCATE schedules, tasks CASCADE`);

  const monthly: ScheduleCreation = {
    schedulerId: 'report',
    organisation: 'aa',
    hash: 'h1',
    data: { organisation_id: 'aa', report_recipe_id: 'r-1' },
    schedule: '0 0 L * *',
    deadlineAt: '2035-01-31T00:00:00.000Z',
  };

  const created = async (fields: Partial<ScheduleCreation> = {}) =>
    jsonOf<Schedule>(await schedules.create({ ...monthly, ...fields }));

  test('are created enabled, and shown as mula does', async () => {
    const schedule = await created();
    expect(schedule).toEqual({
      id: expect.any(String),
      scheduler_id: 'report',
      organisation: 'aa',
      hash: 'h1',
      data: monthly.data,
      enabled: true,
      schedule: '0 0 L * *',
      deadline_at: '2035-01-31T00:00:00.000000Z',
      created_at: expect.stringMatching(/\.\d{6}Z$/),
      modified_at: expect.stringMatching(/\.\d{6}Z$/),
    });
    expect(jsonOf(await schedules.get(schedule.id))).toEqual(schedule);
  });

  test('exist once per hash, even when two people create one at once', async () => {
    const answers = await Promise.all([
      schedules.create(monthly),
      schedules.create(monthly),
      schedules.create(monthly),
    ]);
    expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
  });

  test('never hold the secrets of a task', async () => {
    const secret = { environment: { KEY: 'secret' }, runnable_hash: 'x', report_recipe_id: 'r' };
    const { id, data } = await created({ data: secret });
    expect(data).toEqual({ report_recipe_id: 'r' });
    expect(jsonOf<Schedule>(await schedules.patch(id, { data: secret })).data).toEqual({ report_recipe_id: 'r' });
  });

  test('change only in what a patch names; null is a value', async () => {
    const before = await created();
    const after = jsonOf<Schedule>(await schedules.patch(before.id, { schedule: null }));
    expect(after).toEqual({ ...before, schedule: null, modified_at: after.modified_at });
    expect(after.modified_at > before.modified_at).toBe(true);
    expect(jsonOf<Schedule>(await schedules.patch(before.id, { deadlineAt: null })).deadline_at).toBeNull();
    expect(jsonOf<Schedule>(await schedules.patch(before.id, { hash: 'h2' })).hash).toBe('h2');
  });

  test('that a person disables are remembered as theirs, until a person enables them', async () => {
    const { id } = await created();
    const reason = async () =>
      (await sql`SELECT enabled, disabled_reason FROM schedules WHERE id = ${id}`)[0] as object;
    await sql`UPDATE schedules SET enabled = false, disabled_reason = 'boefje-disabled'`;
    await schedules.patch(id, { schedule: '0 1 * * *' });
    expect(await reason()).toEqual({ enabled: false, disabled_reason: 'boefje-disabled' });
    await schedules.patch(id, { enabled: false });
    expect(await reason()).toEqual({ enabled: false, disabled_reason: 'person' });
    await schedules.patch(id, { enabled: true });
    expect(await reason()).toEqual({ enabled: true, disabled_reason: null });
  });

  test('run now although they were just claimed', async () => {
    const { id } = await created();
    await sql`UPDATE schedules SET claimed_until = now() + interval '1 hour'`;
    await schedules.patch(id, { deadlineAt: '2025-01-01T00:00:00Z' });
    expect(await sql`SELECT claimed_until FROM schedules`).toMatchObject([{ claimed_until: null }]);
  });

  test("are a person's own from the moment a person gives them a cron", async () => {
    const { id } = await created();
    await sql`UPDATE schedules SET inherited = true`;
    await schedules.patch(id, { deadlineAt: null });
    expect(await sql`SELECT inherited FROM schedules`).toEqual([{ inherited: true }]);
    await schedules.patch(id, { schedule: '0 0 L * *' });
    expect(await sql`SELECT inherited FROM schedules`).toEqual([{ inherited: false }]);
  });

  test('refuse the hash of another', async () => {
    const { id } = await created();
    await created({ hash: 'h2' });
    await expect(schedules.patch(id, { hash: 'h2' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('that are not there answer nothing', async () => {
    const id = randomUUID();
    expect(await schedules.get(id)).toBeNull();
    expect(await schedules.patch(id, { enabled: true })).toBeNull();
    expect(await schedules.delete(id)).toBe(false);
  });

  test('are deleted', async () => {
    const { id } = await created();
    expect(await schedules.delete(id)).toBe(true);
    expect(await schedules.get(id)).toBeNull();
  });

  test('are listed newest first by what is asked', async () => {
    const first = await created();
    const second = await created({ hash: 'h2', organisation: 'bb', deadlineAt: '2036-01-01T00:00:00Z' });
    await schedules.patch(first.id, { enabled: false });
    const listed = async (request: object) => {
      const page = await schedules.list({ ...bounds, ...request });
      return jsonOf<Schedule[]>(page.results).map(({ id }) => id);
    };
    expect(await listed({})).toEqual([second.id, first.id]);
    expect(await listed({ enabled: false })).toEqual([first.id]);
    expect(await listed({ enabled: true, schedulerId: 'report' })).toEqual([second.id]);
    expect(await listed({ hash: 'h1' })).toEqual([first.id]);
    expect(await listed({ organisation: 'bb' })).toEqual([second.id]);
    expect(await listed({ minDeadlineAt: '2035-06-01T00:00:00Z' })).toEqual([second.id]);
    expect(await listed({ maxCreatedAt: '2020-01-01T00:00:00Z' })).toEqual([]);
    expect(
      await listed({
        filters: { filters: [{ column: 'data', field: 'report_recipe_id', operator: 'eq', value: 'r-1' }] },
      }),
    ).toHaveLength(2);
  });
});
