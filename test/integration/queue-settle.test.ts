import { describe, expect, onTestFinished, test } from 'vitest';
import { mayFollow, taskStatuses } from '../../src/tasks/status.ts';
import { taskTypeOf } from '../../src/tasks/data.ts';
import type { ClaimedTask, PatchOutcome, TaskPatch } from '../../src/queue/queue.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { connect } from '../../src/queue/postgres.ts';
import type { Task } from '../../src/tasks/task.ts';
import { boefjeTask, ooiOf, parse, popRequest, queueUnderTest } from '../support/queue.ts';

async function claimOne(queue: RunningTaskQueue, via: 'nats' | 'rest' = 'nats', ooi = 'ooi'): Promise<ClaimedTask> {
  await queue.push('boefje', [boefjeTask(ooi, { priority: 2 })]);
  const [claimed] = await queue.pop('boefje', popRequest({ via }));
  return claimed!;
}

const byNats = (task: ClaimedTask, status: TaskPatch['status']): TaskPatch => ({
  id: task.id,
  via: 'nats',
  leaseId: task.leaseId,
  ...(status === undefined ? {} : { status }),
});
const byRest = (id: string, patch: Partial<TaskPatch>): TaskPatch => ({ id, via: 'rest', leaseId: null, ...patch });

const code = (outcome: PatchOutcome | undefined) => (outcome?.ok === false ? outcome.failure.code : 'done');
const taskOf = (outcome: PatchOutcome | undefined) => JSON.parse((outcome as { task: string }).task) as Task;

describe('patch', () => {
  test('lessons 1: a finished task may only be retried: the transition table, in every one of its 49 cells', async () => {
    const { queue, sql } = await queueUnderTest();
    const cells = taskStatuses.flatMap((from) => taskStatuses.map((to) => ({ from, to })));
    const pushed = await queue.push(
      'boefje',
      cells.map(() => boefjeTask(undefined, { priority: 2 })),
    );
    const ids = pushed.map((outcome) => (outcome as { id: string }).id);
    // From queued every state may be entered by a patch: that brings each task to where its cell begins.
    await queue.patch(cells.map(({ from }, index) => byRest(ids[index]!, { status: from })));
    const outcomes = await queue.patch(cells.map(({ to }, index) => byRest(ids[index]!, { status: to })));
    expect(outcomes.map(code)).toEqual(cells.map(({ from, to }) => (mayFollow(from, to) ? 'done' : 'CONFLICT')));
    // A queue row exactly where the task is queued, a lease exactly where it is under way.
    const [broken] = await sql`
      SELECT count(*)::int AS n FROM tasks t
      WHERE (t.status = 'QUEUED') <> EXISTS (SELECT FROM queue q WHERE q.id = t.id)
        OR (t.status IN ('DISPATCHED', 'RUNNING')) <> EXISTS (SELECT FROM leases l WHERE l.task_id = t.id)
        OR (t.status IN ('FAILED', 'CANCELLED'))
          <> EXISTS (SELECT FROM rare_outcomes o WHERE o.task_id = t.id AND o.status = t.status)`;
    expect(broken).toEqual({ n: 0 });
  });

  test('the database knows the same transitions and the same columns of data as the code', async () => {
    const { sql } = await queueUnderTest();
    for (const from of taskStatuses) {
      for (const to of taskStatuses) {
        const [row] = await sql.unsafe(
          `SELECT rota_may_follow('${from.toUpperCase()}'::taskstatus, '${to.toUpperCase()}'::taskstatus) AS may`,
        );
        expect([from, to, row!['may']]).toEqual([from, to, mayFollow(from, to)]);
      }
    }
    const samples: [string, Record<string, unknown>][] = [
      ['boefje', boefjeTask('o', { image: 'i', group: 'g' }).data],
      ['normalizer', { normalizer: { id: 'n' }, raw_data: { id: 'r' } }],
      ['report', { organisation_id: 'aa', report_recipe_id: 'recipe' }],
      ['another', { anything: 1 }],
    ];
    for (const [type, data] of samples) {
      const { plugin, image, deduplicationKey } = taskTypeOf(type).columns(data);
      const [row] = await sql`SELECT * FROM rota_queue_columns(${type}, ${sql.json(data as never)})`;
      expect(row).toEqual({ plugin, image, deduplication_key: deduplicationKey });
    }
  });

  test('patches of one task sent together are made one after the other', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    const patches = [byNats(task, 'running'), byNats(task, 'completed')];
    const outcomes = await queue.patch(patches, { answersTasks: true });
    expect(outcomes.map((outcome) => taskOf(outcome).status)).toEqual(['running', 'completed']);
  });

  test('the same status again moves modified_at and nothing else', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    const [first] = await queue.patch([byNats(task, 'running')], { answersTasks: true });
    const [second] = await queue.patch([byNats(task, 'running')], { answersTasks: true });
    const { modified_at: before, ...rest } = taskOf(first);
    const { modified_at: after, ...same } = taskOf(second);
    expect(same).toEqual(rest);
    expect(after > before).toBe(true);
  });

  test('a retry starts its attempts again; it is refused while a twin is queued', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    await queue.patch([byNats(task, 'failed')]);
    await queue.push('boefje', [boefjeTask('ooi', { priority: 5 })]);
    expect(code((await queue.patch([byRest(task.id, { status: 'queued' })]))[0])).toBe('CONFLICT');
    await queue.pop('boefje', popRequest());
    expect(code((await queue.patch([byRest(task.id, { status: 'queued' })]))[0])).toBe('done');
    expect(await queue.pop('boefje', popRequest())).toMatchObject([{ id: task.id, attempts: 1 }]);
  });

  test('priority, organisation and data change the queue at once', async () => {
    const { queue } = await queueUnderTest();
    const [first, second] = await queue.push('boefje', [
      boefjeTask('first', { priority: 3 }),
      boefjeTask('second', { priority: 4 }),
    ]);
    const { data } = boefjeTask('first', { image: 'other' });
    await queue.patch([
      byRest((second as { id: string }).id, { priority: 2, organisation: 'bb' }),
      byRest((first as { id: string }).id, { data }),
    ]);
    const inBb = { filters: [{ column: 'organisation', operator: 'eq' as const, value: 'bb' }] };
    const other = {
      filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq' as const, value: 'other' }],
    };
    expect((await queue.pop('boefje', popRequest({ filters: inBb }))).map(ooiOf)).toEqual(['second']);
    expect((await queue.pop('boefje', popRequest({ filters: other }))).map(ooiOf)).toEqual(['first']);
  });

  test('of a set that its worker holds in part, that part is done, whatever each becomes', async () => {
    const { queue, sql } = await queueUnderTest();
    const tasks: ClaimedTask[] = [];
    for (const ooi of ['a', 'b', 'c', 'd', 'e']) tasks.push(await claimOne(queue, 'nats', ooi));
    const [first, second, third, lost, cancelled] = tasks;
    await queue.patch([byNats(lost!, 'queued'), byRest(cancelled!.id, { status: 'cancelled' })]);
    const unknown = { ...third!, id: '00000000-0000-4000-8000-000000000000' };
    const outcomes = await queue.patch([
      byNats(lost!, 'completed'),
      byNats(first!, 'running'),
      byNats(unknown, 'completed'),
      byNats(second!, 'completed'),
      byNats(cancelled!, 'completed'),
      byNats(third!, 'failed'),
    ]);
    expect(outcomes.map(code)).toEqual(['LEASE_LOST', 'done', 'NOT_FOUND', 'done', 'LEASE_LOST', 'done']);
    const rows = await sql`SELECT t.id, t.status, l.task_id IS NOT NULL AS leased, o.status AS remembered
      FROM tasks t LEFT JOIN leases l ON l.task_id = t.id LEFT JOIN rare_outcomes o ON o.task_id = t.id
      ORDER BY t.created_at`;
    expect(rows.map(({ status, leased, remembered }) => [status, leased, remembered])).toEqual([
      ['RUNNING', true, null],
      ['COMPLETED', false, null],
      ['FAILED', false, 'FAILED'],
      ['QUEUED', false, null],
      ['CANCELLED', false, 'CANCELLED'],
    ]);
  });

  test('an unknown task is not found, and does not spoil its neighbours', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    const unknown = byRest('00000000-0000-4000-8000-000000000000', { status: 'failed' });
    expect((await queue.patch([unknown, byNats(task, 'running')])).map(code)).toEqual(['NOT_FOUND', 'done']);
  });
});

describe('fencing', () => {
  test('whoever names a lease must hold it', async () => {
    const { queue } = await queueUnderTest();
    const lost = await claimOne(queue);
    await queue.patch([byNats(lost, 'queued')]);
    const [held] = await queue.pop('boefje', popRequest());
    expect(code((await queue.patch([byNats(lost, 'completed')]))[0])).toBe('LEASE_LOST');
    expect(code((await queue.patch([byNats(held!, 'completed')]))[0])).toBe('done');
  });

  test('a worker whose task is handed to another one while its patch waits for a lock is refused', async () => {
    const { queue, sql, url } = await queueUnderTest();
    const task = await claimOne(queue);
    const watcher = connect(url, { max: 1 });
    onTestFinished(() => watcher.end());
    const waiting = () =>
      watcher`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    const other = '6f0f3a57-3f0e-4c63-9d3c-1f6a3f9f4c11';
    const [changing, commit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    onTestFinished(() => commit.resolve());
    const change = sql.begin(async (claim) => {
      await claim`UPDATE tasks SET status = 'DISPATCHED', attempts = attempts + 1 WHERE id = ${task.id}`;
      await claim`UPDATE leases SET lease_id = ${other} WHERE task_id = ${task.id}`;
      changing.resolve();
      await commit.promise;
    });
    await changing.promise;
    const patched = queue.patch([byNats(task, 'completed')]);
    // It has seen its own lease, and stands behind the lock of the one who takes it away.
    await expect.poll(waiting, { timeout: 10_000 }).toHaveLength(1);
    commit.resolve();
    await change;
    expect((await patched).map(code)).toEqual(['LEASE_LOST']);
    expect(await sql`SELECT status, lease_id FROM tasks JOIN leases ON task_id = id`).toEqual([
      { status: 'DISPATCHED', lease_id: other },
    ]);
  });

  test('on a task claimed over NATS a patch without its lease may only cancel', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue, 'nats');
    const patches = [byRest(task.id, { status: 'completed' }), byRest(task.id, { priority: 1 })];
    for (const patch of patches) expect(code((await queue.patch([patch]))[0])).toBe('LEASE_LOST');
    expect(code((await queue.patch([byRest(task.id, { status: 'cancelled' })]))[0])).toBe('done');
  });

  test('on a task claimed over REST no lease is needed, and each patch renews it', async () => {
    const { queue, sql } = await queueUnderTest({ gracePeriodSeconds: 3_600 });
    const task = await claimOne(queue, 'rest');
    const seconds = async () =>
      (await sql`SELECT extract(epoch FROM until - now())::float8 AS left FROM leases`)[0]!['left'] as number;
    expect(await seconds()).toBeLessThan(61);
    expect(code((await queue.patch([byRest(task.id, { status: 'running' })]))[0])).toBe('done');
    expect(await seconds()).toBeGreaterThan(3_500);
    expect(code((await queue.patch([byRest(task.id, { status: 'completed' })]))[0])).toBe('done');
    expect(await sql`SELECT count(*)::int AS n FROM leases`).toEqual([{ n: 0 }]);
  });

  test('a patch that starts work without a claim begins a lease of the grace period and counts no attempt', async () => {
    const { queue, sql } = await queueUnderTest({ gracePeriodSeconds: 3_600 });
    const [pushed] = await queue.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
    await queue.patch([byRest((pushed as { id: string }).id, { status: 'running' })]);
    const [row] = await sql`SELECT via, attempts, until > now() + interval '50 minutes' AS long
      FROM leases JOIN tasks ON id = task_id`;
    expect(row).toEqual({ via: 'rest', attempts: 0, long: true });
    expect(await queue.pop('boefje', popRequest())).toEqual([]);
  });
});

describe('leases', () => {
  const expire = (sql: Awaited<ReturnType<typeof queueUnderTest>>['sql']) =>
    sql`UPDATE leases SET until = now() - interval '1 second'`;

  test('a heartbeat renews what is held and names what is lost', async () => {
    const { queue, sql } = await queueUnderTest();
    const held = await claimOne(queue, 'nats', 'held');
    const lost = await claimOne(queue, 'nats', 'lost');
    await queue.patch([byNats(lost, 'queued')]);
    expect(await queue.heartbeat([held, lost], 600_000)).toEqual({ renewed: [held.id], lost: [lost.id] });
    expect(await sql`SELECT until > now() + interval '9 minutes' AS long FROM leases`).toEqual([{ long: true }]);
  });

  test('an expired lease puts the task back where it was, until it was claimed too often', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 2 });
    const first = await claimOne(queue);
    await expire(sql);
    expect(await queue.sweep()).toBe(1);
    const [second] = await queue.pop('boefje', popRequest());
    expect(second).toMatchObject({ id: first.id, attempts: 2 });
    await expire(sql);
    await queue.sweep();
    expect(JSON.parse((await queue.get(first.id))!)).toMatchObject({ status: 'failed' });
    expect(await sql`SELECT reason FROM tasks`).toEqual([{ reason: 'lease-expired' }]);
  });

  test('an expired task gives way to a twin that is queued', async () => {
    const { queue, sql } = await queueUnderTest();
    const task = await claimOne(queue);
    await queue.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
    await expire(sql);
    await queue.sweep();
    expect(JSON.parse((await queue.get(task.id))!)).toMatchObject({ status: 'cancelled' });
    expect(await sql`SELECT reason FROM tasks WHERE id = ${task.id}`).toEqual([{ reason: 'superseded' }]);
  });
});

describe('release', () => {
  test('puts back what was claimed over REST, once more is fine', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue, 'rest');
    await queue.patch([byRest(task.id, { status: 'running' })]);
    for (let time = 1; time <= 2; time += 1) {
      const released = await queue.release('boefje', task.id);
      expect(released).toMatchObject({ outcome: 'released' });
      expect(JSON.parse((released as { task: string }).task)).toMatchObject({ id: task.id, status: 'queued' });
    }
    expect(parse((await queue.pop('boefje', popRequest()))[0]!).id).toBe(task.id);
  });

  test('refuses what is finished or claimed over NATS, and knows what it does not know', async () => {
    const { queue } = await queueUnderTest();
    const byNatsTask = await claimOne(queue, 'nats', 'a');
    const done = await claimOne(queue, 'rest', 'b');
    await queue.patch([byRest(done.id, { status: 'completed' })]);
    expect(await queue.release('boefje', byNatsTask.id)).toEqual({ outcome: 'conflict' });
    expect(await queue.release('boefje', done.id)).toEqual({ outcome: 'conflict' });
    expect(await queue.release('normalizer', done.id)).toEqual({ outcome: 'unknown' });
  });
});
