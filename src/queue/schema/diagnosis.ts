import { codeOf } from '../../errors.ts';
import { migrationNames } from './migrations.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { requireWritable } from './probe.ts';

/** How the database is. */
export interface DatabaseDiagnosis {
  readonly version: string;
  /** The database's clock minus this process's, give or take half the round trip. */
  readonly clockSkewMs: number;
  readonly roundTripMs: number;
  readonly sizeBytes: number;
  readonly invalidIndexes: readonly string[];
  /** Indexes of `tasks` that name what changes with every status: they end HOT updates. */
  readonly coldIndexes: readonly string[];
  /** Null where nobody has a transaction open. */
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
  // Also opens the connection, where there is none: only what follows tells the round trip. Which tables are missing it tells
  // by their migrations.
  await requireWritable(sql).catch((error: unknown) => {
    if (codeOf(error) !== 'SCHEMA_UNKNOWN') throw error;
  });
  // This machine's wall clock, which logs and traces go by: nothing else does.
  const [asked, began] = [Date.now(), performance.now()];
  const [row] = await transact(() => query<Row>(sql, statement('schema/diagnosis'), []));
  const roundTripMs = Math.round(performance.now() - began);
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

interface Row {
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
