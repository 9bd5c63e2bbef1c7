import { describe, expect, test } from 'vitest';
import { createTaskLists } from '../../src/queue/lists/lists.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { next } from '../../src/telemetry/events.ts';
import { byRest, code } from '../support/patches.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

/** Groups that were claimed over REST: the leader is the only one that KAT's deduplicating worker reports running. */

const gracePeriodSeconds = 7_200;
const startWithinMs = 600_000;

/** Queues tasks about these OOIs as one group, and claims it. */
async function claimGroup(
  queue: RunningTaskQueue,
  oois: readonly string[],
  via: 'nats' | 'rest' = 'rest',
): Promise<readonly ClaimedTask[]> {
  await queue.push(
    'boefje',
    oois.map((ooi) => boefjeTask(ooi, { priority: 2, group: 'g' })),
  );
  const claimed = await popGroup(queue, via);
  expect(claimed.map(ooiOf)).toEqual(oois);
  return claimed;
}

const popGroup = (queue: RunningTaskQueue, via: 'nats' | 'rest' = 'rest') =>
  queue.pop('boefje', popRequest({ via, leaseMs: startWithinMs }));

const statuses = async (sql: Sql) =>
  Object.fromEntries(
    (await sql`SELECT data->>'input_ooi' AS ooi, lower(status::text) AS status FROM tasks`).map((row) => [
      row['ooi'],
      row['status'],
    ]),
  );

const expire = (sql: Sql, ...tasks: readonly ClaimedTask[]) =>
  sql`UPDATE leases SET until = now() - interval '1 second' WHERE task_id IN ${sql(tasks.map(({ id }) => id))}`;

const under = (): Promise<QueueUnderTest> => queueUnderTest({ gracePeriodSeconds });

describe('a group that was claimed over REST', () => {
  test('begins whole when one of its tasks begins, whichever that is; each ends by itself', async () => {
    const { queue, sql } = await under();
    const [first, second, third, fourth] = await claimGroup(queue, ['a', 'b', 'c', 'd']);
    await sql`UPDATE tasks SET modified_at = now() - interval '3 hours'`;
    const changed = next('tasks.changed');
    expect((await queue.patch([byRest(second!.id, { status: 'running' })])).map(code)).toEqual(['done']);
    expect(new Set((await changed).tasks.map(({ id }) => id))).toEqual(
      new Set([first, second, third, fourth].map((task) => task!.id)),
    );
    expect(await changed).toMatchObject({ status: 'running', scheduler: 'boefje' });
    expect(await statuses(sql)).toEqual({ a: 'running', b: 'running', c: 'running', d: 'running' });
    const leases = await sql`SELECT until > now() + interval '110 minutes' AS long FROM leases`;
    expect(leases.map(({ long }) => long)).toEqual([true, true, true, true]);
    expect(await sql`SELECT FROM tasks WHERE modified_at < now() - interval '1 hour'`).toEqual([]);

    const ends = [
      [first, 'queued'],
      [second, 'failed'],
      [third, 'completed'],
    ] as const;
    for (const [task, status] of ends) {
      expect((await queue.patch([byRest(task!.id, { status })])).map(code)).toEqual(['done']);
    }
    expect(await statuses(sql)).toEqual({ a: 'queued', b: 'failed', c: 'completed', d: 'running' });
    await queue.foldCounts();
    const stats = JSON.parse(await createTaskLists(sql).stats({})) as Record<string, Record<string, number>>;
    expect(Object.values(stats)).toMatchObject([
      { queued: 1, dispatched: 0, running: 1, completed: 1, failed: 1, total: 4 },
    ]);
  });

  test('leaves those behind that are no longer of that claim', async () => {
    const { queue, sql } = await under();
    const group = await claimGroup(queue, ['leader', 'queued', 'retried', 'over-nats', 'completed', 'claimed-anew']);
    const [leader, queued, retried, overNats, completed, anew] = group;
    const set = (task: ClaimedTask | undefined, status: 'queued' | 'failed' | 'completed') =>
      queue.patch([byRest(task!.id, { status })]);
    await set(completed, 'completed');
    await set(overNats, 'queued');
    expect((await popGroup(queue, 'nats')).map(ooiOf)).toEqual(['over-nats']);
    await set(retried, 'failed');
    await set(retried, 'queued');
    await set(anew, 'queued');
    expect((await popGroup(queue)).map(ooiOf)).toEqual(['retried', 'claimed-anew']);
    await set(queued, 'queued');
    await queue.patch([byRest(leader!.id, { status: 'running' })]);
    const apart = {
      leader: 'running',
      queued: 'queued',
      retried: 'dispatched',
      'over-nats': 'dispatched',
      completed: 'completed',
      'claimed-anew': 'dispatched',
    };
    expect(await statuses(sql)).toEqual(apart);
    // The later claim is a unit of its own.
    await queue.patch([byRest(anew!.id, { status: 'running' })]);
    expect(await statuses(sql)).toEqual({ ...apart, retried: 'running', 'claimed-anew': 'running' });
  });

  test('begins whole whatever else is said of its members in the same set', async () => {
    const { queue, sql } = await under();
    const [leader, reranked, refused, done, back] = await claimGroup(queue, [
      'l',
      'reranked',
      'refused',
      'done',
      'back',
    ]);
    await queue.push('boefje', [boefjeTask('refused', { priority: 2 })]);
    const outcomes = await queue.patch([
      byRest(back!.id, { status: 'queued' }),
      byRest(refused!.id, { status: 'queued' }),
      byRest(leader!.id, { status: 'running' }),
      byRest(reranked!.id, { priority: 7 }),
      byRest(done!.id, { status: 'completed' }),
    ]);
    expect(outcomes.map(code)).toEqual(['done', 'CONFLICT', 'done', 'done', 'done']);
    const rows = await sql`SELECT data->>'input_ooi' AS ooi, status, priority FROM tasks WHERE id IN ${sql(
      [leader, reranked, refused, done, back].map((task) => task!.id),
    )} ORDER BY 1`;
    expect(rows.map(({ ooi, status, priority }) => [ooi, status, priority])).toEqual([
      ['back', 'QUEUED', 2],
      ['done', 'COMPLETED', 2],
      ['l', 'RUNNING', 2],
      ['refused', 'RUNNING', 2],
      ['reranked', 'RUNNING', 7],
    ]);
  });

  test('learns which of its members were asked for, and no more', async () => {
    const { queue } = await under();
    const [leader, sibling] = await claimGroup(queue, ['a', 'b']);
    const outcomes = await queue.patch([byRest(leader!.id, { status: 'running' })], { answersTasks: true });
    expect(outcomes).toHaveLength(1);
    expect(JSON.parse((outcomes[0] as { task: string }).task)).toMatchObject({ id: leader!.id, status: 'running' });
    expect(JSON.parse((await queue.get(sibling!.id))!)).toMatchObject({ status: 'running' });
  });
});

test('over NATS each task of a group is reported by itself, without the others', async () => {
  const { queue, sql } = await under();
  const [leader] = await claimGroup(queue, ['a', 'b'], 'nats');
  const { id, leaseId } = leader!;
  expect((await queue.patch([{ id, leaseId, via: 'nats', status: 'running' }])).map(code)).toEqual(['done']);
  expect(await statuses(sql)).toEqual({ a: 'running', b: 'dispatched' });
});

test('tasks that were claimed together without being a group begin one by one', async () => {
  const { queue, sql } = await under();
  await queue.push('boefje', [boefjeTask('a', { priority: 2 }), boefjeTask('b', { priority: 3 })]);
  const [first] = await queue.pop('boefje', popRequest({ via: 'rest', limit: 2 }));
  await queue.patch([byRest(first!.id, { status: 'running' })]);
  expect(await statuses(sql)).toEqual({ a: 'running', b: 'dispatched' });
});

describe('a group that no runner began', () => {
  test('goes back whole, and is handed out again as one', async () => {
    const { queue, sql } = await under();
    const group = await claimGroup(queue, ['a', 'b', 'c']);
    await expire(sql, ...group);
    expect(await queue.sweep()).toBe(3);
    const again = await popGroup(queue);
    expect(again.map((task) => [ooiOf(task), task.attempts, task.unit])).toEqual([
      ['a', 1, 1],
      ['b', 1, 1],
      ['c', 1, 1],
    ]);
    await queue.patch([byRest(group[2]!.id, { status: 'running' })]);
    expect(await statuses(sql)).toEqual({ a: 'running', b: 'running', c: 'running' });
  });

  test('begins whole with a runner that reports late, so that no other runner gets the rest of it', async () => {
    const { queue, sql } = await under();
    const group = await claimGroup(queue, ['a', 'b', 'gave-way']);
    await queue.push('boefje', [boefjeTask('gave-way', { priority: 2, group: 'g' })]);
    await expire(sql, ...group);
    await queue.sweep();
    await queue.push('boefje', [boefjeTask('joined-later', { priority: 2, group: 'g' })]);
    expect((await queue.patch([byRest(group[0]!.id, { status: 'running' })])).map(code)).toEqual(['done']);
    const rows = await sql`
      SELECT data->>'input_ooi' AS ooi, status, via, begun, until > now() + interval '110 minutes' AS long
      FROM tasks LEFT JOIN leases ON task_id = id ORDER BY 1, 2`;
    const begun = { status: 'RUNNING', via: 'rest', begun: true, long: true };
    const none = { via: null, begun: null, long: null };
    expect(rows).toEqual([
      { ooi: 'a', ...begun },
      { ooi: 'b', ...begun },
      { ooi: 'gave-way', status: 'QUEUED', ...none },
      { ooi: 'gave-way', status: 'CANCELLED', ...none },
      { ooi: 'joined-later', status: 'QUEUED', ...none },
    ]);
    expect((await popGroup(queue)).map(ooiOf)).toEqual(['gave-way', 'joined-later']);
  });

  test('that a runner gave back, or an operator, begins with no late report', async () => {
    const { queue, sql } = await under();
    const [first, second] = await claimGroup(queue, ['a', 'b']);
    await queue.release('boefje', second!.id);
    await queue.release('boefje', first!.id);
    await queue.patch([byRest(first!.id, { status: 'running' })]);
    expect(await statuses(sql)).toEqual({ a: 'running', b: 'queued' });
  });

  test('is left to its present holder', async () => {
    const { queue, sql } = await under();
    const [late, sibling] = await claimGroup(queue, ['a', 'b']);
    await expire(sql, late!, sibling!);
    await queue.sweep();
    expect(await popGroup(queue, 'nats')).toHaveLength(2);
    expect((await queue.patch([byRest(late!.id, { status: 'running' })])).map(code)).toEqual(['LEASE_LOST']);
    expect(await statuses(sql)).toEqual({ a: 'dispatched', b: 'dispatched' });
  });
});
