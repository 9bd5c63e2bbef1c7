import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect, query, type Sql } from '../../src/postgres/pool.ts';
import { createDatabase } from '../support/database.ts';
import { boefjeTask, popRequest, queueUnderTest } from '../support/queue.ts';

/** One connection, and another one that ends it. */
async function connections(): Promise<{ sql: Sql; end: (pid: number) => Promise<void> }> {
  const database = await createDatabase();
  const [sql, admin] = [connect(database.url, { max: 1 }), connect(database.url, { max: 1 })];
  onTestFinished(async () => {
    await Promise.all([sql.end({ timeout: 1 }), admin.end()]);
    await database.drop();
  });
  const end = async (pid: number) => {
    await admin`SELECT pg_terminate_backend(${pid}, 5000)`;
  };
  return { sql, end };
}

const backend = async (sql: Pick<Sql, 'unsafe'>) =>
  (await query<{ pid: number }>(sql, 'SELECT pg_backend_pid() AS pid', []))[0]!.pid;

describe('a lost connection', () => {
  test('ends its transaction, and nothing else: the next query has a new one', async () => {
    const { sql, end } = await connections();
    const first = await backend(sql);
    const transaction = sql.begin(async (begun) => {
      await end(await backend(begun));
      // The end arrives by itself; the transaction goes on only then.
      await delay(100);
      await query(begun, 'SELECT 1', []);
    });
    await expect(transaction).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    expect(await backend(sql)).not.toBe(first);
  });

  test('leaves nothing of the answer it was reading to the next query', async () => {
    const { sql } = await connections();
    // The first row is long enough to be on its way before the second one ends the connection.
    const cut = `SELECT repeat('x', 20000) AS text UNION ALL SELECT pg_terminate_backend(pg_backend_pid())::text`;
    await expect(query(sql, cut, [])).rejects.toThrow();
    expect(await query(sql, 'SELECT 1 AS one', [])).toEqual([{ one: 1 }]);
    expect(await query(sql, 'SELECT 2 AS two', [])).toEqual([{ two: 2 }]);
  });
});

test('no statement, and no transaction of a supervisor that is frozen, holds its locks forever', async () => {
  const { sql } = await connections();
  expect(await sql`SHOW statement_timeout`).toEqual([{ statement_timeout: '15s' }]);
  expect(await sql`SHOW idle_in_transaction_session_timeout`).toEqual([{ idle_in_transaction_session_timeout: '10s' }]);
});

test('connections that end again and again lose no task and hand none out twice', async () => {
  const { queue, sql } = await queueUnderTest();
  const handedOut: string[] = [];
  const outcomes = { accepted: 0, unknown: 0 };
  const ended = new AbortController();
  const pushing = async () => {
    while (!ended.signal.aborted) {
      const [outcome] = await queue.push('boefje', [boefjeTask(undefined, { priority: 2 })]).catch(() => [null]);
      if (outcome?.outcome === 'queued') outcomes.accepted += 1;
      else outcomes.unknown += 1;
    }
  };
  const popping = async () => {
    while (!ended.signal.aborted) {
      const tasks = await queue.pop('boefje', popRequest({ waitMs: 50 })).catch(() => []);
      const patches = tasks.map(({ id, leaseId }) => ({
        id,
        leaseId,
        via: 'nats' as const,
        status: 'completed' as const,
      }));
      handedOut.push(...tasks.map(({ id }) => id));
      await queue.patch(patches).catch(() => {});
    }
  };
  const work = [pushing(), pushing(), popping(), popping(), popping()];
  for (let round = 0; round < 30; round += 1) {
    await sql`SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`.catch(() => {});
    await delay(20);
  }
  ended.abort();
  await Promise.all(work);
  const [state] = await sql<[{ tasks: number; queued: number; leased: number; finished: number; torn: number }]>`
    SELECT (SELECT count(*)::int FROM tasks) AS tasks, (SELECT count(*)::int FROM queue) AS queued,
      (SELECT count(*)::int FROM leases) AS leased, (SELECT count(*)::int FROM tasks WHERE status = 'COMPLETED') AS finished,
      (SELECT count(*)::int FROM queue JOIN tasks USING (id) WHERE status <> 'QUEUED') AS torn`;
  expect(state.tasks).toBe(state.queued + state.leased + state.finished);
  expect(state.torn).toBe(0);
  expect(state.tasks).toBeGreaterThanOrEqual(outcomes.accepted);
  expect(state.tasks).toBeLessThanOrEqual(outcomes.accepted + outcomes.unknown);
  expect(new Set(handedOut).size).toBe(handedOut.length);
  expect((await queue.push('boefje', [boefjeTask('after', { priority: 2 })]))[0]).toMatchObject({ outcome: 'queued' });
});
