import { describe, expect, onTestFinished, test } from 'vitest';
import type { Sql } from '../../src/postgres/pool.ts';
import { next } from '../../src/telemetry/events.ts';
import { byNats, claimOne, code } from '../support/patches.ts';
import { startProxy } from '../support/proxy.ts';
import { popRequest, queueUnderTest } from '../support/queue.ts';

/** Leases outlive outages; docs/queue-semantics.md, "Gaps". Seconds are before now, by the database's clock. */

/** A lease of `length` seconds that ended `ago` seconds ago. */
const endLease = (sql: Sql, { length, ago }: { length: number; ago: number }) =>
  sql`UPDATE leases SET until = now() - ${ago}::float8 * interval '1 second',
    renewed_at = now() - ${ago + length}::float8 * interval '1 second'`;
const gap = (sql: Sql, { began, ended }: { began: number; ended: number }) =>
  sql`INSERT INTO gaps SELECT now() - ${began}::float8 * interval '1 second', now() - ${ended}::float8 * interval '1 second'`;
/** A supervisor that was heard `heard` seconds ago; where it is `frozen`, its session of Postgres is there still. */
const supervisor = (sql: Sql, other: { heard: number; gone?: boolean; frozen?: boolean }) =>
  sql`INSERT INTO supervisors SELECT gen_random_uuid(), now() - ${other.heard}::float8 * interval '1 second',
    ${other.gone ?? false}, CASE WHEN ${other.frozen ?? false} THEN pg_backend_pid() ELSE 0 END`;
const attempts = async (sql: Sql) => (await sql`SELECT attempts FROM tasks`)[0]!['attempts'] as number;

describe('a lease that ran out in a gap', () => {
  test('is spared for a third of its length and a second, and a heartbeat renews it', async () => {
    const { queue, sql } = await queueUnderTest();
    const task = await claimOne(queue);
    await endLease(sql, { length: 6, ago: 3 });
    await gap(sql, { began: 10, ended: 1 });
    expect(await queue.sweep()).toBe(0);
    expect(await queue.heartbeat([task], 6_000)).toEqual({ renewed: [task.id], lost: [] });
    expect((await queue.patch([byNats(task, 'completed')])).map(code)).toEqual(['done']);
  });

  test('is spared where it ran out after the gap, before its holder had a turn', async () => {
    const { queue, sql } = await queueUnderTest();
    await claimOne(queue);
    await endLease(sql, { length: 6, ago: 1 });
    await gap(sql, { began: 10, ended: 2 });
    expect(await queue.sweep()).toBe(0);
  });

  test('is taken when its holder had its turn, and counts as no attempt, however often', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 1 });
    const { id } = await claimOne(queue);
    await gap(sql, { began: 60, ended: 10 });
    for (let outage = 1; outage <= 4; outage += 1) {
      await endLease(sql, { length: 6, ago: 20 });
      expect(await queue.sweep()).toBe(1);
      expect(await queue.pop('boefje', popRequest())).toMatchObject([{ id, attempts: 1 }]);
    }
  });

  test('of a day is spared for no longer than the gap was, or a minute', async () => {
    const { queue, sql } = await queueUnderTest();
    await claimOne(queue);
    await endLease(sql, { length: 86_400, ago: 65 });
    await gap(sql, { began: 70, ended: 59 });
    expect(await queue.sweep()).toBe(0);
    await sql`UPDATE gaps SET ended_at = ended_at - interval '2 seconds'`;
    expect(await queue.sweep()).toBe(1);
  });
});

test('a lease that ran out before a gap, or long after it, is taken at once and was an attempt', async () => {
  const { queue, sql } = await queueUnderTest();
  const begun = await claimOne(queue);
  await queue.patch([byNats(begun, 'running')]);
  await gap(sql, { began: 10, ended: 1 });
  await endLease(sql, { length: 6, ago: 11 });
  expect(await queue.sweep()).toBe(1);
  expect(await attempts(sql)).toBe(1);
  const [again] = await queue.pop('boefje', popRequest());
  await queue.patch([byNats(again!, 'running')]);
  await sql`UPDATE gaps SET began_at = began_at - interval '1 hour', ended_at = ended_at - interval '1 hour'`;
  await endLease(sql, { length: 6, ago: 1 });
  expect(await queue.sweep()).toBe(1);
  expect(await attempts(sql)).toBe(2);
});

test.each([
  ['that is silent spares what ran out since it was heard', { heard: 5 }, 0],
  ['that was heard a second ago spares nothing', { heard: 1 }, 1],
  ['that was drained spares nothing', { heard: 5, gone: true }, 1],
  ['that was killed 25 s ago is no longer asked by any worker', { heard: 25 }, 1],
  ['that is frozen spares for as long as NATS may send it heartbeats', { heard: 55, frozen: true }, 0],
  ['that has been frozen for more than a minute spares nothing', { heard: 70, frozen: true }, 1],
] as const)('another supervisor %s', async (_what, other, swept) => {
  const { queue, sql } = await queueUnderTest();
  await claimOne(queue);
  await endLease(sql, { length: 6, ago: 2 });
  await supervisor(sql, other);
  expect(await queue.sweep()).toBe(swept);
});

test('the first supervisor after all were away spares what ran out meanwhile', async () => {
  const { queue, sql } = await queueUnderTest();
  const task = await claimOne(queue);
  await endLease(sql, { length: 60, ago: 30 });
  await supervisor(sql, { heard: 120, gone: true });
  queue.start();
  await expect.poll(() => sql`SELECT FROM gaps`, { timeout: 10_000 }).toHaveLength(1);
  expect(await queue.sweep()).toBe(0);
  expect(await queue.heartbeat([task], 60_000)).toMatchObject({ lost: [] });
});

test('two supervisors whose database was away: a worker that lives keeps its task, that of a dead one comes back, no attempt', async () => {
  const { queue, sql, url, another } = await queueUnderTest({ maxAttempts: 1 });
  const proxy = await startProxy({ port: Number(new URL(url).port) });
  onTestFinished(() => proxy.stop());
  const through = new URL(url);
  through.port = String(proxy.port);
  const supervisors = [another({ databaseUrl: through.href }), another({ databaseUrl: through.href })];
  for (const each of supervisors) each.start();
  const heard = async () =>
    (await sql`SELECT heard_at FROM supervisors WHERE heard_at > now() - interval '2 seconds'`).length;
  await expect.poll(heard, { timeout: 10_000 }).toBe(2);
  const living = await claimOne(queue, 'nats', 'living');
  const dead = await claimOne(queue, 'nats', 'dead');
  for (let outage = 1; outage <= 2; outage += 1) {
    proxy.down();
    await sql`UPDATE leases SET until = now() + interval '500 milliseconds', renewed_at = now() - interval '8500 milliseconds'`;
    const silent = () => sql`SELECT FROM supervisors WHERE heard_at < now() - interval '4 seconds'`;
    await expect.poll(silent, { timeout: 10_000 }).toHaveLength(2);
    proxy.up();
    await expect.poll(heard, { timeout: 10_000 }).toBe(2);
    expect(await supervisors[0]!.heartbeat([living], 60_000)).toMatchObject({ lost: [] });
    const expired = next('leases.expired');
    expect(await expired).toMatchObject({ requeued: 1, failed: 0 });
    expect(await queue.pop('boefje', popRequest({ leaseMs: 60_000 }))).toMatchObject([{ id: dead.id, attempts: 1 }]);
  }
  expect((await queue.patch([byNats(living, 'completed')])).map(code)).toEqual(['done']);
}, 60_000);

test('a supervisor that no heartbeat reaches takes nothing, informs the others, and spares what ran out meanwhile', async () => {
  const { queue, sql, another } = await queueUnderTest();
  const task = await claimOne(queue);
  let reached = true;
  const asked: (() => void)[] = [];
  const cut = another({
    heartbeatsArrive: async () => {
      for (const resolve of asked.splice(0)) resolve();
      return reached;
    },
  });
  const turn = () => new Promise<void>((resolve) => asked.push(resolve));
  cut.start();
  await turn();
  reached = false;
  await turn();
  await endLease(sql, { length: 6, ago: 0 });
  await sql`UPDATE supervisors SET heard_at = now() - interval '5 seconds'`;
  await turn();
  expect(await queue.sweep()).toBe(0);
  expect(await cut.sweep()).toBe(0);
  reached = true;
  await expect.poll(() => sql`SELECT FROM gaps`, { timeout: 10_000 }).toHaveLength(1);
  expect(await queue.sweep()).toBe(0);
  expect(await queue.heartbeat([task], 6_000)).toMatchObject({ lost: [] });
});

test('what is drained leaves no gap behind, and gaps of yesterday are forgotten', async () => {
  const { queue, sql } = await queueUnderTest();
  await gap(sql, { began: 90_000, ended: 89_000 });
  await supervisor(sql, { heard: 90_000 });
  queue.start();
  await expect.poll(() => sql`SELECT FROM supervisors WHERE heard_at > now() - interval '1 minute'`).toHaveLength(1);
  await queue.drain();
  expect(await sql`SELECT gone FROM supervisors WHERE heard_at > now() - interval '1 minute'`).toEqual([
    { gone: true },
  ]);
  expect(await sql`SELECT FROM gaps WHERE ended_at < now() - interval '1 day'`).toEqual([]);
});
