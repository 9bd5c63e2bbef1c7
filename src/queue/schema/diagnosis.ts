import { codeOf } from '../../errors.ts';
import { connect, query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { notWritable } from '../../postgres/sql-states.ts';
import { migrationNames } from './migrations.ts';
import { time } from '../../time-and-chance.ts';

/** What `rota doctor` reports of the database. */
export interface DatabaseDiagnosis {
  readonly version: string;
  /** The database's clock minus this process's, give or take half the round trip. */
  readonly clockSkewMs: number;
  readonly roundTripMs: number;
  readonly sizeBytes: number;
  readonly invalidIndexes: readonly string[];
  /** Indexes of `tasks` on columns that change with every status: they end HOT updates. */
  readonly coldIndexes: readonly string[];
  /** Null where no transaction is open. */
  readonly oldestTransactionSeconds: number | null;
  readonly deadQueueRows: number;
  readonly connections: number;
  readonly maxConnections: number;
  /** Migrations that this version has and the database has not, and the other way round. */
  readonly missingMigrations: readonly string[];
  readonly unknownMigrations: readonly string[];
  /** Most schedules first. */
  readonly unreadableCrons: readonly UnreadableCron[];
}

/** A cron that cannot run, and how many schedules are disabled for it. */
export interface UnreadableCron {
  /** The scheduler's id where its tasks have no boefje. */
  readonly boefje: string;
  /** Null where the schedules do not hold it: Katalogus does. */
  readonly cron: string | null;
  readonly schedules: number;
}

/** @throws RotaError where the database is away, or cannot be written */
export async function diagnoseDatabase(sql: Sql): Promise<DatabaseDiagnosis> {
  // Also opens the connection where there is none, so that the next statement measures the round trip. Missing tables are
  // reported by their migrations.
  await requireWritable(sql).catch((error: unknown) => {
    if (codeOf(error) !== 'SCHEMA_UNKNOWN') throw error;
  });
  // This machine's wall clock, which only logs and traces go by.
  const [asked, began] = [time.wallMs(), time.monotonicMs()];
  const [row] = await transact(() => query<DiagnosisRow>(sql, statement('schema/diagnosis'), []));
  const roundTripMs = Math.round(time.monotonicMs() - began);
  const known = await migrationNames();
  const done = row!.migrations;
  return {
    version: row!.version,
    clockSkewMs: Math.round(row!.now_ms - (asked + roundTripMs / 2)),
    roundTripMs,
    sizeBytes: row!.size_bytes,
    invalidIndexes: row!.invalid_indexes,
    coldIndexes: row!.cold_indexes,
    oldestTransactionSeconds: row!.oldest_transaction_seconds,
    deadQueueRows: row!.dead_queue_rows ?? 0,
    connections: row!.connections,
    maxConnections: row!.max_connections,
    missingMigrations: known.filter((name) => !done.includes(name)),
    unknownMigrations: done.filter((name) => !known.includes(name)),
    unreadableCrons: JSON.parse(row!.unreadable_crons) as UnreadableCron[],
  };
}

interface DiagnosisRow {
  readonly version: string;
  readonly now_ms: number;
  readonly size_bytes: number;
  readonly invalid_indexes: readonly string[];
  readonly cold_indexes: readonly string[];
  readonly oldest_transaction_seconds: number | null;
  readonly dead_queue_rows: number | null;
  readonly connections: number;
  readonly max_connections: number;
  readonly migrations: readonly string[];
  readonly unreadable_crons: string;
}

/** Asks the database whether the queue can work in it. */
interface DatabaseProbe {
  /** @throws RotaError that says why not: away, read-only, in recovery, or a table that refuses its user. */
  ask(): Promise<void>;
  end(): Promise<void>;
}

/**
 * Over a separate connection that is kept: a slow search or a busy pool says nothing about the database, and a server that
 * takes no more connections still serves those that we have. One question at a time, shared by all callers meanwhile, so that
 * questions do not pile up at a database that hangs.
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
    transact(() => query<ProbeRow>(sql, statement('schema/probe'), [])),
    // Postgres checks the privilege, and whether it may write at all, before it finds nothing to delete. A refusal also ends
    // the connection (src/postgres/driver.ts), so that the next question has a session that began later.
    transact(() => query(sql, 'DELETE FROM rota_alive WHERE false', [])),
  ]);
  if (state.status === 'rejected') throw state.reason;
  const { recovering, read_only: readOnly, refusing } = state.value[0]!;
  if (recovering) throw notWritable('25006', 'it is in recovery: a standby');
  if (readOnly) throw notWritable('25006', 'default_transaction_read_only is on');
  if (refusing.length > 0) throw notWritable('42501', `on ${refusing.join(', ')}`);
  if (written.status === 'rejected') throw written.reason;
}

interface ProbeRow {
  readonly recovering: boolean;
  readonly read_only: boolean;
  /** Tables that the user may not read or write. */
  readonly refusing: readonly string[];
}
