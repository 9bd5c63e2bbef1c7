import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { connectNats } from '../../src/nats/connect.ts';
import { byNats, byRest, code } from '../support/patches.ts';
import { type QueueUnderTest, boefjeTask, popRequest, queueUnderTest } from '../support/queue.ts';
import { startWire } from '../support/wire.ts';

/** A lease over NATS is short until its holder reports; docs/queue-semantics.md, "The first lease". */

const dayMs = 86_400_000;

async function service(options: Parameters<typeof queueUnderTest>[0] = {}) {
  const under = await queueUnderTest(options);
  const wire = await startWire({ natsUrl: inject('natsUrl'), queue: under.queue });
  onTestFinished(() => wire.stop());
  return { ...under, ...wire };
}

const push = (queue: QueueUnderTest['queue'], count: number) =>
  queue.push(
    'boefje',
    Array.from({ length: count }, (_none, n) => boefjeTask(`ooi-${n}`, { priority: 2 })),
  );

/** Seconds for which the leases are still held: the shortest and the longest. */
async function left(sql: QueueUnderTest['sql']): Promise<{ leases: number; least: number; most: number }> {
  const [row] = await sql<[{ leases: number; least: number; most: number }]>`
    SELECT count(*)::int AS leases, extract(epoch FROM min(until) - now())::float8 AS least,
      extract(epoch FROM max(until) - now())::float8 AS most FROM leases`;
  return row;
}

/** So many seconds go by for all leases. */
const pass = (sql: QueueUnderTest['sql'], seconds: number) =>
  sql`UPDATE leases SET until = until - ${seconds}::float8 * interval '1 second',
    renewed_at = renewed_at - ${seconds}::float8 * interval '1 second',
    claimed_at = claimed_at - ${seconds}::float8 * interval '1 second'`;

test('long polls of a day whose client leaves: what they are dealt is back within a minute, and was no attempt', async () => {
  const { queue, sql, prefix, client } = await service({ maxAttempts: 1 });
  const leaving = await connectNats({ servers: inject('natsUrl') });
  const body = JSON.stringify({ wait_ms: 60_000, lease_ms: dayMs });
  for (let n = 0; n < 50; n += 1) leaving.publish(`${prefix}.pop.boefje`, body, { reply: `_INBOX.gone.${n}` });
  await leaving.flush();
  await expect.poll(() => queue.parked().get('boefje'), { timeout: 10_000 }).toBe(50);
  await leaving.close();
  await push(queue, 50);
  await expect.poll(() => left(sql).then(({ leases }) => leases), { timeout: 10_000 }).toBe(50);
  await pass(sql, 61);
  expect(await queue.sweep()).toBe(50);
  const tasks = await client.pop('boefje', { limit: 50 });
  expect(tasks).toHaveLength(50);
  expect(tasks.map(({ attempts }) => attempts)).toEqual(Array(50).fill(1));
});

test.each([
  ['heartbeat that names a length has that', { lease_ms: 600_000 }, 600],
  ['heartbeat that names none has what its pop asked for', {}, 1_800],
  ['heartbeat that asks for more than the longest has the longest', { lease_ms: dayMs }, 3_600],
] as const)('a lease whose holder reports by a %s, and so have all of its answer', async (_what, asked, seconds) => {
  const { queue, sql, client } = await service();
  await push(queue, 3);
  const tasks = await client.pop('boefje', { limit: 3, lease_ms: 1_800_000 });
  const leases = tasks.map(({ id, lease_id }) => ({ id, lease_id }));
  for (const { lease_until } of tasks) {
    const [row] = await sql`SELECT ${lease_until}::timestamptz - now() <= interval '60 seconds' AS short`;
    expect(row).toEqual({ short: true });
  }
  expect(await client.heartbeat(leases, 'lease_ms' in asked ? asked.lease_ms : undefined)).toMatchObject({ lost: [] });
  const { least, most } = await left(sql);
  expect(least).toBeGreaterThan(seconds - 10);
  expect(most).toBeLessThanOrEqual(seconds);
});

test.each([
  ['1 800 s', 1_800_000, 1_800],
  ['a day: an hour, the longest', dayMs, 3_600],
  ['30 s', 30_000, 30],
] as const)('a lease whose holder begins has what its pop asked for: %s', async (_what, lease_ms, seconds) => {
  const { queue, sql, client } = await service();
  await push(queue, 2);
  const [one, other] = await client.pop('boefje', { limit: 2, lease_ms });
  expect((await left(sql)).most).toBeLessThanOrEqual(Math.min(60, seconds));
  await client.patch({ id: one!.id, lease_id: one!.lease_id, status: 'running' });
  await client.patch([{ id: other!.id, lease_id: other!.lease_id, status: 'running' }]);
  const { least, most } = await left(sql);
  expect(least).toBeGreaterThan(seconds - 10);
  expect(most).toBeLessThanOrEqual(seconds);
});

test('a holder that begins in a set with others, which is settled the general way, has what its pop asked for', async () => {
  const { queue, sql } = await queueUnderTest();
  await push(queue, 2);
  const [task, other] = await queue.pop('boefje', popRequest({ limit: 2, leaseMs: 600_000 }));
  const patches = [byNats(task!, 'running'), byRest(other!.id, { status: 'cancelled' })];
  expect((await queue.patch(patches)).map(code)).toEqual(['done', 'done']);
  expect((await left(sql)).least).toBeGreaterThan(590);
  await pass(sql, 300);
  // Only the first `running` lengthens: repeating it is no heartbeat.
  await queue.patch([byNats(task!, 'running')]);
  await queue.patch([byNats(task!, 'running'), byRest(other!.id, { status: 'cancelled' })]);
  expect((await left(sql)).most).toBeLessThan(300);
});

test('a first lease that ran out in a gap is spared for a third of its minute, and its holder gets what it asked for', async () => {
  const { queue, sql } = await queueUnderTest();
  await push(queue, 1);
  const [task] = await queue.pop('boefje', popRequest({ leaseMs: 1_800_000 }));
  await pass(sql, 70);
  await sql`INSERT INTO gaps SELECT now() - interval '60 seconds', now() - interval '20 seconds'`;
  expect(await queue.sweep()).toBe(0);
  expect(await queue.heartbeat([task!], null)).toEqual({ renewed: [task!.id], lost: [] });
  expect((await left(sql)).least).toBeGreaterThan(1_790);
  await pass(sql, 1_900);
  expect(await queue.sweep()).toBe(1);
});

describe('beside a supervisor of before, which lengthens no lease', () => {
  test('leases begin as long as was asked, until it is gone', async () => {
    const { queue, sql } = await queueUnderTest();
    await sql`INSERT INTO supervisors (instance, heard_at) VALUES (gen_random_uuid(), now() + interval '1 hour')`;
    queue.start();
    const leased = async () => {
      await push(queue, 1);
      const [task] = await queue.pop('boefje', popRequest({ leaseMs: 600_000 }));
      const { most } = await left(sql);
      await queue.patch([byNats(task!, 'completed')]);
      return most;
    };
    await expect.poll(leased, { timeout: 10_000 }).toBeGreaterThan(590);
    await sql`UPDATE supervisors SET gone = true WHERE NOT lengthens`;
    await expect.poll(leased, { timeout: 10_000 }).toBeLessThanOrEqual(60);
  });

  test('what it hands out works on', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 1 });
    const claimed = async (ooi: string) => {
      const [{ id }] = (await queue.push('boefje', [boefjeTask(ooi, { priority: 2 })])) as unknown as [{ id: string }];
      // As claim.sql of before does.
      await sql`DELETE FROM queue WHERE id = ${id}`;
      await sql`UPDATE tasks SET status = 'DISPATCHED', attempts = attempts + 1 WHERE id = ${id}`;
      const [lease] = await sql<
        [{ leaseId: string }]
      >`INSERT INTO leases (task_id, lease_id, scheduler, worker, via, until, unit)
        VALUES (${id}, gen_random_uuid(), 'boefje', 'w', 'nats', now() + interval '1 day', NULL) RETURNING lease_id AS "leaseId"`;
      return { id, leaseId: lease.leaseId };
    };
    const handedOut = await claimed('of before');
    expect(await queue.heartbeat([handedOut], null)).toMatchObject({ renewed: [handedOut.id] });
    expect((await left(sql)).least).toBeGreaterThan(86_300);
    await pass(sql, 86_401);
    expect(await queue.sweep()).toBe(1);
    expect(JSON.parse((await queue.get(handedOut.id))!)).toMatchObject({ status: 'failed' });
  });
});
