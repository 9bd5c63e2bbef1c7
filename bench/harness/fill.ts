import { availableParallelism } from 'node:os';
import { Client } from 'pg';
import { recountWhereEmpty } from '../../src/queue/maintenance/counts.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { addFinished, addQueued, chunk } from './seed.ts';

/** What a database is filled with. */
export interface Filling {
  /** Tasks in the boefje queue, two days old: more urgent ones were pushed and are over since. */
  readonly queued: number;
  /** Tasks of the last day that are over. */
  readonly finished: number;
}

/** The deepest queue that is measured, and the largest table that Rocky's pages are asked of: filled once for both. */
export const tenMillion: Filling = { queued: 10_000_000, finished: 1_000_000 };

/** Statements at once: more only wait for each other to lengthen the tables. */
const connections = Math.min(4, availableParallelism());
const firstRank = 1_700_000_000;

/**
 * Fills an empty database as fast as Postgres takes it: without secondary indexes and triggers, which are put back
 * afterwards. The result is what a supervisor would have made of it.
 */
export async function fill(databaseUrl: string, { queued, finished }: Filling): Promise<void> {
  await migrate(databaseUrl);
  const sql = connect(databaseUrl, { max: connections });
  try {
    await sql`ALTER TABLE tasks DISABLE TRIGGER USER, SET (autovacuum_enabled = false)`;
    await sql`ALTER TABLE queue DISABLE TRIGGER USER, SET (autovacuum_enabled = false)`;
    const dropped = await dropIndexes(sql);
    await Promise.all([
      ...partsOf(queued).map(({ rows, from }) =>
        addQueued(sql, { rows, rank: firstRank + Math.floor(from / 100), daysOld: 2 }),
      ),
      ...partsOf(finished).map(({ rows, from }) => addFinished(sql, rows, from, finished)),
    ]);
    await Promise.all(dropped.map((definition) => restore(sql, definition)));
    await sql`ALTER TABLE tasks ENABLE TRIGGER USER, RESET (autovacuum_enabled)`;
    await sql`ALTER TABLE queue ENABLE TRIGGER USER, RESET (autovacuum_enabled)`;
    await settle(databaseUrl);
  } finally {
    await sql.end();
  }
}

function partsOf(rows: number): { rows: number; from: number }[] {
  return Array.from({ length: Math.ceil(rows / chunk) }, (_, part) => ({
    rows: Math.min(chunk, rows - part * chunk),
    from: part * chunk,
  }));
}

/** @returns what makes them again */
async function dropIndexes(sql: Sql): Promise<readonly string[]> {
  const found = await sql<{ name: string; definition: string }[]>`
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid IN ('tasks'::regclass, 'queue'::regclass) AND NOT indisprimary`;
  for (const { name } of found) await sql`DROP INDEX ${sql(name)}`;
  return found.map(({ definition }) => definition);
}

async function restore(sql: Sql, definition: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`SET LOCAL maintenance_work_mem = '512MB'`;
    await transaction`SET LOCAL statement_timeout = 0`;
    await transaction.unsafe(definition);
  });
}

/** The triggers that count were off; and nothing of the filling (unwritten pages, absent statistics) may be left. */
async function settle(databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    // The migration has counted none.
    await client.query('DELETE FROM task_totals');
    await recountWhereEmpty(client);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}
