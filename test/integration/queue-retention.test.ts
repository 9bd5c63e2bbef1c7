import { expect, test } from 'vitest';
import { Retention } from '../../src/queue/retention.ts';
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

test('lessons 0.9: finished tasks past the retention time are removed, and what tells of them', async () => {
  const { retention, finished, left, sql } = await retentionUnderTest({ days: 30 });
  await finished('a', 'completed', 31);
  await finished('b', 'failed', 40);
  const young = await finished('c', 'failed', 29);
  expect(await retention.walk()).toBe(2);
  expect(await left()).toEqual([young]);
  expect(await sql`SELECT task_id FROM rare_outcomes`).toMatchObject([{ task_id: young }]);
});

test('what is not finished stays, however old', async () => {
  const { retention, queue, sql, left } = await retentionUnderTest({ days: 1 });
  await queue.push('boefje', [boefjeTask('queued', { priority: 9 }), boefjeTask('running', { priority: 2 })]);
  const [running] = await queue.pop('boefje', popRequest());
  expect(ooiOf(running!)).toBe('running');
  await sql`UPDATE tasks SET created_at = created_at - interval '90 days', modified_at = modified_at - interval '90 days'`;
  expect(await retention.walk()).toBe(0);
  expect(await left()).toHaveLength(2);
});

test('an old task that somebody changed lately stays', async () => {
  const { retention, finished, sql, left } = await retentionUnderTest({ days: 7 });
  const id = await finished('a', 'completed', 30);
  await sql`UPDATE tasks SET modified_at = now() WHERE id = ${id}`;
  expect(await retention.walk()).toBe(0);
  expect(await left()).toEqual([id]);
});

test('the latest task of a hash stays as long as the grace period asks for it', async () => {
  const { retention, finished, left } = await retentionUnderTest({ days: 1, gracePeriodSeconds: 10 * day });
  const earlier = await finished('a', 'completed', 6);
  const latest = await finished('a', 'completed', 3);
  await finished('b', 'completed', 12);
  expect(await retention.walk()).toBe(2);
  expect(await left()).toEqual([latest]);
  expect(latest).not.toBe(earlier);
});

test('a walk goes on past a stretch of tasks that stay', async () => {
  const { retention, finished, sql, left } = await retentionUnderTest({ days: 1 });
  await sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, data, status, created_at, modified_at)
    SELECT gen_random_uuid(), 'boefje', 'aa', 'boefje', 'pending', '{}', 'PENDING', now() - interval '90 days', now()
    FROM generate_series(1, 1500)`;
  await finished('a', 'completed', 5);
  expect(await retention.walk()).toBe(1);
  expect(await left()).toHaveLength(1_500);
});
