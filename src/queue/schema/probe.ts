import { connect, query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { notWritable } from '../../postgres/sql-states.ts';

/** Asks the database whether the queue can work in it. */
export interface DatabaseProbe {
  /** @throws RotaError that says why not: away, read-only, in recovery, or a table that refuses its user. */
  ask(): Promise<void>;
  end(): Promise<void>;
}

/**
 * Over a connection of its own, kept: a slow search, or a pool whose places are all taken, says nothing about the database,
 * and a server without a place for one more connection still serves those that we have. One question at a time, shared by
 * all who ask meanwhile, so that a database that hangs does not gather them.
 */
export function createDatabaseProbe(databaseUrl: string): DatabaseProbe {
  const sql = connect(databaseUrl, { max: 1 });
  let asking: Promise<void> | null = null;

  return {
    ask: () => (asking ??= requireWritable(sql).finally(() => (asking = null))),
    end: () => sql.end({ timeout: 1 }),
  };
}

/** @throws RotaError that says why the queue cannot work in the database */
export async function requireWritable(sql: Sql): Promise<void> {
  const [state, written] = await Promise.allSettled([
    transact(() => query<Row>(sql, statement('schema/probe'), [])),
    // Postgres asks for the right to write, and whether it may at all, before it sees that there is nothing to do. A refusal
    // also ends the connection (driver.ts), so that the next question has a session that began later.
    transact(() => query(sql, 'DELETE FROM rota_alive WHERE false', [])),
  ]);
  if (state.status === 'rejected') throw state.reason;
  const { recovering, read_only: readOnly, refusing } = state.value[0]!;
  if (recovering) throw notWritable('25006', 'it is in recovery: a standby');
  if (readOnly) throw notWritable('25006', 'default_transaction_read_only is on');
  if (refusing.length > 0) throw notWritable('42501', `on ${refusing.join(', ')}`);
  if (written.status === 'rejected') throw written.reason;
}

interface Row {
  readonly recovering: boolean;
  readonly read_only: boolean;
  /** Tables that the user may not read or write. */
  readonly refusing: readonly string[];
}
