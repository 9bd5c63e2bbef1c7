import type { Client } from 'pg';
import { time } from '../../time-and-chance.ts';

/** Any number will do, as long as every version of Rota uses the same one. */
const lockKey = 7_682_118;

/**
 * Makes this process the only one that changes the schema, until the connection ends. It polls for the lock: a session that
 * waits inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY of the lock's holder would wait for that snapshot.
 */
export async function lockSchema(client: Client): Promise<void> {
  while (true) {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [lockKey]);
    if (rows[0]?.locked === true) return;
    await time.sleep(200);
  }
}

/**
 * Runs `steps`, which may lock mula's tables exclusively, in one transaction. A statement that waits for such a lock makes
 * all later ones wait behind it: so the wait ends after 100 ms and is tried again, for as long as it takes. A vacuum would
 * hold the lock for minutes, and gives way only to a wait of a second (deadlock_timeout): so it is first sent away by a lock
 * that conflicts with vacuums and with no reads or writes. Measured by bench/adoption.ts.
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
      await time.sleep(200);
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
