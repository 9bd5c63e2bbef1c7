import { describe, expect, test } from 'vitest';
import { Retention } from '../../src/queue/maintenance/retention.ts';
import { connect } from '../../src/postgres/pool.ts';
import { createScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import { readTaskStats } from '../../src/queue/maintenance/counts.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

const day = 86_400;

async function retentionUnderTest(options: { days: number; gracePeriodSeconds?: number }) {
  const under = await queueUnderTest();
  const errors: unknown[] = [];
  const retention = new Retention({
    sql: under.sql,
    gracePeriodSeconds: day,
    onError: (error) => errors.push(error),
    ...options,
  });
  /** Queues, pops and finishes a task about each OOI, and says that this was `daysAgo`. */
  const finished = async (ooi: string, status: 'completed' | 'failed' | 'cancelled', daysAgo: number) => {
    await under.queue.push('boefje', [boefjeTask(ooi, { priority: 2 })]);
    const [task] = await under.queue.pop('boefje', popRequest());
    await under.queue.patch([{ id: task!.id, leaseId: task!.leaseId, status, via: 'nats' }]);
    await under.sql`UPDATE tasks SET created_at = created_at - ${daysAgo} * interval '1 day',
      modified_at = modified_at - ${daysAgo} * interval '1 day' WHERE id = ${task!.id}`;
    return task!.id;
  };
  const left = async () => (await under.sql`SELECT id FROM tasks`).map(({ id }) => id as string).sort();
  return { ...under, retention, finished, left, errors };
}

test('lessons 0.9: finished tasks past the retention time are removed, with the rows that belong to them', async () => {
  const { retention, finished, left, sql } = await retentionUnderTest({ days: 30 });
  await finished('a', 'completed', 31);
  await finished('b', 'failed', 40);
  const young = await finished('c', 'failed', 29);
  expect((await retention.walk()).tasks).toBe(2);
  expect(await left()).toEqual([young]);
  expect(await sql`SELECT task_id FROM rare_outcomes`).toMatchObject([{ task_id: young }]);
});

test('what is not finished stays, however old', async () => {
  const { retention, queue, sql, left } = await retentionUnderTest({ days: 1 });
  await queue.push('boefje', [boefjeTask('queued', { priority: 9 }), boefjeTask('running', { priority: 2 })]);
  const [running] = await queue.pop('boefje', popRequest());
  expect(ooiOf(running!)).toBe('running');
  await sql`UPDATE tasks SET created_at = created_at - interval '90 days', modified_at = modified_at - interval '90 days'`;
  expect((await retention.walk()).tasks).toBe(0);
  expect(await left()).toHaveLength(2);
});

test('an old task that was changed lately stays', async () => {
  const { retention, finished, sql, left } = await retentionUnderTest({ days: 7 });
  const id = await finished('a', 'completed', 30);
  await sql`UPDATE tasks SET modified_at = now() WHERE id = ${id}`;
  expect((await retention.walk()).tasks).toBe(0);
  expect(await left()).toEqual([id]);
});

test('the latest task of a hash stays as long as the grace period asks for it', async () => {
  const { retention, finished, left } = await retentionUnderTest({ days: 1, gracePeriodSeconds: 10 * day });
  const earlier = await finished('a', 'completed', 6);
  const latest = await finished('a', 'completed', 3);
  await finished('b', 'completed', 12);
  expect((await retention.walk()).tasks).toBe(2);
  expect(await left()).toEqual([latest]);
  expect(latest).not.toBe(earlier);
});

test('a walk goes on past a stretch of tasks that stay', async () => {
  const { retention, finished, sql, left } = await retentionUnderTest({ days: 1 });
  await sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, data, status, created_at, modified_at)
    SELECT gen_random_uuid(), 'boefje', 'aa', 'boefje', 'pending', '{}', 'PENDING', now() - interval '90 days', now()
    FROM generate_series(1, 1500)`;
  await finished('a', 'completed', 5);
  expect((await retention.walk()).tasks).toBe(1);
  expect(await left()).toHaveLength(1_500);
});

test('statistics are the same after old tasks are gone, of the oldest hour too', async () => {
  const { retention, finished, queue, sql } = await retentionUnderTest({ days: 1 });
  await finished('a', 'completed', 3);
  await finished('b', 'completed', 0);
  const edge = await finished('c', 'failed', 2);
  await sql`UPDATE tasks SET modified_at = date_trunc('hour', now() - interval '24 hours', 'UTC') WHERE id = ${edge}`;
  const stats = await readTaskStats(sql, {});
  expect(Object.keys(JSON.parse(stats) as object)).toHaveLength(2);
  expect((await retention.walk()).tasks).toBe(1);
  expect(await readTaskStats(sql, {})).toBe(stats);
  await queue.foldCounts();
  expect(await readTaskStats(sql, {})).toBe(stats);
});

describe('schedules', () => {
  /** One of an OOI, disabled `daysAgo` for `reason`; null is enabled. */
  async function schedulesUnderTest() {
    const under = await retentionUnderTest({ days: 30 });
    const { queue, sql } = under;
    const make = async (ooi: string, reason: string | null, daysAgo: number, own: string | null = null) => {
      const [pushed] = await queue.push('boefje', [boefjeTask(ooi)]);
      const id = pushed?.outcome === 'queued' ? pushed.scheduleId! : '';
      await sql`DELETE FROM queue`;
      await sql`DELETE FROM tasks WHERE schedule_id = ${id}`;
      await sql`UPDATE schedules SET enabled = ${reason === null}, disabled_reason = ${reason}, schedule = ${own},
        modified_at = now() - ${daysAgo} * interval '1 day' WHERE id = ${id}`;
      return id;
    };
    const left = async () => (await sql`SELECT id FROM schedules`).map(({ id }) => id as string).sort();
    return { ...under, make, left };
  }

  test('that Rota disabled go when they are old and no task of them is left, whatever disabled them', async () => {
    const { retention, make, left } = await schedulesUnderTest();
    for (const reason of ['ooi-gone', 'scan-level-too-low', 'boefje-gone', 'boefje-disabled', 'organisation-gone'])
      await make(reason, reason, 31);
    const young = await make('young', 'ooi-gone', 29);
    expect(await retention.walk()).toEqual({ tasks: 0, schedules: 5 });
    expect(await left()).toEqual([young]);
  });

  test('that are at work, or that a person disabled or may have, or gave a cron, stay forever', async () => {
    const { retention, make, left } = await schedulesUnderTest();
    const stay = [
      await make('live', null, 400),
      await make('person', 'person', 400),
      await make('unknown', 'unknown', 400),
      await make('cron', 'ooi-gone', 400, '0 3 * * *'),
    ];
    expect((await retention.walk()).schedules).toBe(0);
    expect(await left()).toEqual(stay.toSorted());
  });

  test('stay as long as a task of them does, and go in the walk that takes the last one', async () => {
    const { retention, queue, sql, make, left } = await schedulesUnderTest();
    const id = await make('a', 'ooi-gone', 40);
    await queue.push('boefje', [boefjeTask('a')]);
    expect((await retention.walk()).schedules).toBe(0);
    expect(await left()).toEqual([id]);
    await queue.pop('boefje', popRequest());
    await sql`UPDATE tasks SET status = 'COMPLETED', created_at = now() - interval '40 days', modified_at = now() - interval '31 days'`;
    expect(await retention.walk()).toEqual({ tasks: 1, schedules: 1 });
  });

  test('that are enabled again while they are walked stay', async () => {
    const { retention, sql, make, left, url } = await schedulesUnderTest();
    const id = await make('a', 'ooi-gone', 40);
    const [enabled, commit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const enabling = sql.begin(async (other) => {
      await createScheduleStore(other as unknown as typeof sql).enableSchedules('boefje', {
        organisation: 'aa',
        reasons: ['ooi-gone'],
      });
      enabled.resolve();
      await commit.promise;
    });
    await enabled.promise;
    const walking = retention.walk();
    const watcher = connect(url, { max: 1 });
    const waiting = () =>
      watcher`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await expect.poll(async () => (await waiting()).length).toBe(1);
    commit.resolve();
    await enabling;
    expect((await walking).schedules).toBe(0);
    expect(await left()).toEqual([id]);
    await watcher.end();
  });

  test('a walk goes on past a stretch of those that stay', async () => {
    const { retention, sql, make, left } = await schedulesUnderTest();
    await sql`INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, disabled_reason, modified_at)
      SELECT gen_random_uuid(), 'boefje', CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, md5(n::text), '{}', false, 'person', now()
      FROM generate_series(1, 2500) AS n`;
    await make('a', 'ooi-gone', 40);
    expect((await retention.walk()).schedules).toBe(1);
    expect(await left()).toHaveLength(2_500);
  });
});
