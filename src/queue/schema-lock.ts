import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';

/** Any number will do, as long as every version of Rota uses the same one. */
const lockKey = 7_682_118;

/**
 * Whoever changes the schema does so alone; held until the connection ends. Tried again and again rather than waited for:
 * a session that waits inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY of the one that has the lock
 * would wait for that snapshot.
 */
export async function lockSchema(client: Client): Promise<void> {
  while (true) {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [lockKey]);
    if (rows[0]?.locked === true) return;
    await delay(200);
  }
}

/**
 * A lock on a table that somebody reads for minutes would queue everybody else behind it: give up after a moment and
 * come back, for as long as it takes. Half a second, since nobody is to be stopped for more than one.
 */
export async function changeSchema(client: Client, steps: () => Promise<unknown>): Promise<void> {
  while (true) {
    await client.query("BEGIN; SET LOCAL lock_timeout = '500ms'");
    try {
      await steps();
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK');
      if ((error as { code?: unknown }).code !== '55P03') throw error;
      await delay(1_000);
    }
  }
}

/** Statements that cannot share a transaction (CREATE INDEX CONCURRENTLY). Each can be run again after an interruption. */
export async function runEach(client: Client, sql: string): Promise<void> {
  for (const statement of sql.split(/;\n/)) if (statement.trim() !== '') await client.query(statement);
}
