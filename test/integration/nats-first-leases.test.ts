import { expect, inject, onTestFinished, test } from 'vitest';
import { connectNats } from '../../src/nats/connect.ts';
import { type QueueUnderTest, boefjeTask, queueUnderTest } from '../support/queue.ts';
import { startWire } from '../support/wire.ts';

/** A lease over NATS is short until its holder speaks; docs/queue-semantics.md, "The first lease". */

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
] as const)('a lease whose holder speaks by a %s, and so have all of its answer', async (_what, asked, seconds) => {
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
