import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/postgres/pool.ts';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { fairRanking } from '../support/fair-ranking.ts';
import { byNats, byRest, claimOne, code } from '../support/patches.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { boefjeTask, ooiOf, parse, popRequest, queueUnderTest } from '../support/queue.ts';

describe('fencing', () => {
  test('a client that names a lease must hold it', async () => {
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
    // It has seen its own lease, and waits for the lock of the session that takes it away.
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

  test('heartbeats that share a statement renew each lease for its own length', async () => {
    const { queue, sql } = await queueUnderTest();
    const asked = [30_000, 600_000, null, 90_000, 30_000];
    const tasks: ClaimedTask[] = [];
    for (const n of asked.keys()) tasks.push(await claimOne(queue, 'nats', `ooi-${n}`));
    await Promise.all(asked.map((leaseMs, n) => queue.heartbeat([tasks[n]!], leaseMs)));
    const rows = await sql<{ id: string; ms: number; at: string }[]>`
      SELECT task_id AS id, extract(epoch FROM until - renewed_at)::float8 * 1000 AS ms, renewed_at::text AS at FROM leases`;
    const lengths = new Map(rows.map(({ id, ms }) => [id, ms]));
    expect(tasks.map(({ id }) => lengths.get(id))).toEqual([30_000, 600_000, 60_000, 90_000, 30_000]);
    // One statement: `now()` is the same for all.
    expect(new Set(rows.map(({ at }) => at)).size).toBe(1);
  });

  test('an expired lease puts the task back where it was, until it was claimed too often', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 2 });
    const first = await claimOne(queue);
    await queue.patch([byNats(first, 'running')]);
    await expire(sql);
    expect(await queue.sweep()).toBe(1);
    const [second] = await queue.pop('boefje', popRequest());
    expect(second).toMatchObject({ id: first.id, attempts: 2 });
    await queue.patch([byNats(second!, 'running')]);
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

describe('a task whose worker died with it', () => {
  const endedBefore = (seconds: number) => `UPDATE leases SET until = now() - interval '${seconds} seconds'`;
  const begin = async (queue: RunningTaskQueue) => {
    const task = await claimOne(queue);
    await queue.patch([byNats(task, 'running')]);
    return task;
  };

  test('waits ten seconds for each claim, so that one that ends its workers is not the head three times in four seconds', async () => {
    const { queue, sql } = await queueUnderTest({ retryMs: 10_000 });
    await begin(queue);
    for (const [seconds, swept] of [
      [9, 0],
      [11, 1],
    ] as const) {
      await sql.unsafe(endedBefore(seconds));
      expect(await queue.sweep()).toBe(swept);
    }
    const [again] = await queue.pop('boefje', popRequest());
    await queue.patch([byNats(again!, 'running')]);
    for (const [seconds, swept] of [
      [19, 0],
      [21, 1],
    ] as const) {
      await sql.unsafe(endedBefore(seconds));
      expect(await queue.sweep()).toBe(swept);
    }
    const [last] = await queue.pop('boefje', popRequest());
    await queue.patch([byNats(last!, 'running')]);
    await sql.unsafe(endedBefore(1));
    expect(await queue.sweep()).toBe(1);
    expect(await sql`SELECT status, reason FROM tasks`).toEqual([{ status: 'FAILED', reason: 'lease-expired' }]);
  });

  test('may still be ended by a worker that comes late, as long as it waits', async () => {
    const { queue, sql } = await queueUnderTest({ retryMs: 10_000 });
    const task = await begin(queue);
    await sql.unsafe(endedBefore(9));
    await queue.sweep();
    expect((await queue.patch([byNats(task, 'completed')])).map(code)).toEqual(['done']);
  });

  test('does not wait where no worker began it', async () => {
    const { queue, sql } = await queueUnderTest({ retryMs: 10_000 });
    await claimOne(queue);
    await sql.unsafe(endedBefore(1));
    expect(await queue.sweep()).toBe(1);
  });

  test('takes no place in a sweep while it waits', async () => {
    const { queue, sql } = await queueUnderTest({ retryMs: 10_000 });
    await queue.push(
      'boefje',
      Array.from({ length: 501 }, () => boefjeTask()),
    );
    const claimed = await queue.pop('boefje', popRequest({ limit: 501 }));
    await queue.patch(claimed.slice(0, 500).map((task) => byNats(task, 'running')));
    await sql.unsafe(endedBefore(2));
    expect(await queue.sweep()).toBe(1);
  });

  test('goes behind what waits, by fair-share; one that no worker began keeps its place', async () => {
    const { queue, sql } = await queueUnderTest({ ranking: fairRanking });
    for (const organisation of ['x', 'y'])
      await queue.push(
        'boefje',
        ['1', '2', '3'].map((name) => boefjeTask(organisation + name, { organisation })),
      );
    const [poison, unbegun] = await queue.pop('boefje', popRequest({ limit: 2 }));
    await queue.patch([byNats(poison!, 'running')]);
    await sql.unsafe(endedBefore(1));
    expect(await queue.sweep()).toBe(2);
    const order = (await queue.pop('boefje', popRequest({ limit: 9 }))).map(ooiOf);
    expect([ooiOf(poison!), ooiOf(unbegun!)]).toEqual(['x1', 'y1']);
    expect(order).toEqual(['y1', 'x2', 'y2', 'x3', 'y3', 'x1']);
  });
});
