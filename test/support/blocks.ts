import { onTestFinished } from 'vitest';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { type Executor, type Sql, connect, query } from '../../src/postgres/pool.ts';
import { createDatabase } from './database.ts';

/** Blocks by relation, most first. */
type Blocks = readonly (readonly [relation: string, blocks: number])[];

/** A database of the test's own in which nothing gathers statistics and nothing takes dead rows away. */
export async function unattendedDatabase(): Promise<{ url: string; sql: Sql }> {
  const database = await createDatabase();
  await migrate(database.url);
  const sql = connect(database.url, { max: 2 });
  onTestFinished(async () => {
    await sql.end();
    await database.drop();
  });
  const tables = await sql<{ name: string }[]>`
    SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`;
  for (const { name } of tables) {
    await sql`ALTER TABLE ${sql(name)} SET (autovacuum_enabled = false)`;
  }
  return { url: database.url, sql };
}

/**
 * What a statement touches, tables and indexes, triggers too: counted by Postgres itself, for the plan that this connection
 * has for the statement. Undone afterwards.
 * @param sql of one connection
 */
export async function blocksOf(sql: Sql, text: string, values: readonly unknown[]): Promise<Blocks> {
  let blocks: Blocks = [];
  await undone(sql, async (transaction) => {
    const before = await fetched(transaction);
    await query(transaction, text, values);
    const after = await fetched(transaction);
    blocks = [...after]
      .map(([relation, count]) => [relation, count - (before.get(relation) ?? 0)] as const)
      .filter(([, count]) => count > 0)
      .toSorted((a, b) => b[1] - a[1]);
  });
  return blocks;
}

/** Runs something and rolls it back. */
async function undone(sql: Sql, run: (transaction: Executor) => Promise<void>): Promise<void> {
  const back = new Error('rolled back');
  await sql
    .begin(async (transaction) => {
      await run(transaction);
      throw back;
    })
    .catch((error: unknown) => {
      if (error !== back) throw error;
    });
}

/** So far, by relation: what this connection has not reported yet, which only grows within a transaction. */
async function fetched(transaction: Executor): Promise<ReadonlyMap<string, number>> {
  const rows = await query<{ name: string; blocks: string }>(
    transaction,
    `SELECT oid::regclass::text AS name, pg_stat_get_xact_blocks_fetched(oid)::text AS blocks FROM pg_class
     WHERE relkind IN ('r', 'i') AND relnamespace = current_schema()::regnamespace`,
    [],
  );
  return new Map(rows.map(({ name, blocks }) => [name, Number(blocks)]));
}

/** Blocks of all tables and indexes that the statements of `work` touch. @param sql of one connection, which all of them use */
export async function blocksDuring(sql: Sql, work: () => Promise<unknown>): Promise<number> {
  const total = async () => {
    // The connection reports what it has counted, and then reads it.
    await sql`SELECT pg_stat_force_next_flush()`;
    const [row] = await sql<{ blocks: number }[]>`
      SELECT sum(pg_stat_get_blocks_fetched(oid))::float8 AS blocks FROM pg_class
      WHERE relkind IN ('r', 'i') AND relnamespace = current_schema()::regnamespace`;
    return row!.blocks;
  };
  const before = await total();
  await work();
  return (await total()) - before;
}
