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
 * Runs `steps`, which may lock mula's tables against everybody, in one transaction. Whoever waits for such a lock makes all
 * who come later wait behind it: so it is given up after a moment and tried again, for as long as it takes. A vacuum would
 * hold it off for minutes, and makes way only for whoever waits a second (deadlock_timeout): it is sent away first, by a
 * lock that keeps off vacuums and nobody else. Measured by bench/adoption.ts.
 */
export async function changeSchema(client: Client, steps: () => Promise<unknown>): Promise<void> {
  while (true) {
    await client.query('BEGIN');
    try {
      for (const table of ['tasks', 'schedules']) await keepVacuumOff(client, table);
      await client.query("SET LOCAL lock_timeout = '100ms'");
      await steps();
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK');
      if ((error as { code?: unknown }).code !== '55P03') throw error;
      await delay(200);
    }
  }
}

async function keepVacuumOff(client: Client, table: string): Promise<void> {
  const { rowCount } = await client.query('SELECT WHERE to_regclass($1) IS NOT NULL', [table]);
  if (rowCount === 1) await client.query(`LOCK TABLE ${table} IN SHARE UPDATE EXCLUSIVE MODE`);
}

/** Statements that cannot share a transaction (CREATE INDEX CONCURRENTLY). Each can be run again after an interruption. */
export async function runEach(client: Client, sql: string): Promise<void> {
  for (const statement of sql.split(/;\n/)) if (statement.trim() !== '') await client.query(statement);
}
