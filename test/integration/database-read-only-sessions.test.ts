import { describe, expect, onTestFinished, test } from 'vitest';
import { connect, query, type Sql, transact } from '../../src/postgres/pool.ts';
import { createDatabase } from '../support/database.ts';

/** A pool with a table, and another way in to make the database read-only for sessions that begin from now on. */
async function pool(max: number): Promise<{ sql: Sql; readOnly: (on: boolean) => Promise<void> }> {
  const database = await createDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const [sql, admin] = [connect(database.url, { max }), connect(database.url, { max: 1 })];
  onTestFinished(async () => {
    await Promise.all([sql.end({ timeout: 1 }), admin.end({ timeout: 1 })]);
    await database.drop();
  });
  await admin`CREATE TABLE written (n integer)`;
  const readOnly = async (on: boolean) => {
    await admin.unsafe(`ALTER DATABASE ${name} SET default_transaction_read_only = ${on ? 'on' : 'off'}`);
  };
  return { sql, readOnly };
}

const backends = async (sql: Sql, count: number) =>
  new Set(
    (
      await Promise.all(
        Array.from({ length: count }, () =>
          query<{ pid: number }>(sql, 'SELECT pg_backend_pid() AS pid, pg_sleep(0.1)', []),
        ),
      )
    ).map(([row]) => row!.pid),
  );
const write = (sql: Sql) => transact(() => query(sql, 'INSERT INTO written VALUES (1)', []));

describe('a session that cannot write', () => {
  test('is not kept after the database can be written again, nor are the others of its pool', async () => {
    const { sql, readOnly } = await pool(4);
    await readOnly(true);
    const before = await backends(sql, 4);
    expect(before.size).toBe(4);
    await readOnly(false);
    // One finds out, for all of them.
    await expect(write(sql)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', fields: { sqlState: '25006' } });
    await Promise.all(Array.from({ length: 8 }, () => write(sql)));
    expect([...(await backends(sql, 4))].filter((pid) => before.has(pid))).toEqual([]);
  });

  test('ends after the current transaction, which fails with the reason and not with a lost connection', async () => {
    const { sql, readOnly } = await pool(2);
    await readOnly(true);
    const transaction = () =>
      transact(() =>
        sql.begin(async (begun) => {
          await query(begun, 'SELECT 1', []);
          await query(begun, 'INSERT INTO written VALUES (2)', []);
        }),
      );
    await expect(transaction()).rejects.toMatchObject({ fields: { sqlState: '25006' } });
    await readOnly(false);
    await expect
      .poll(() =>
        transaction().then(
          () => 'done',
          () => 'refused',
        ),
      )
      .toBe('done');
  });

  test('costs a new connection a second at most, however many ask', async () => {
    const { sql, readOnly } = await pool(1);
    await readOnly(true);
    await backends(sql, 1);
    const pids = new Set<number>();
    const until = performance.now() + 1_500;
    while (performance.now() < until) {
      await write(sql).catch(() => {});
      for (const pid of await query<{ pid: number }>(sql, 'SELECT pg_backend_pid() AS pid', [])) pids.add(pid.pid);
    }
    expect(pids.size).toBeGreaterThan(1);
    expect(pids.size).toBeLessThanOrEqual(4);
  });
});
