import { readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { RotaError } from '../../errors.ts';
import { statement } from '../../postgres/pool.ts';
import { inSession } from '../../postgres/session.ts';
import { taskTypeOf } from '../../tasks/data.ts';
import { recountWhereEmpty } from '../maintenance/counts.ts';
import { changeSchema, lockSchema, runEach } from './schema-lock.ts';
import { time } from '../../time-and-chance.ts';

interface ReconcileOptions {
  readonly gracePeriodSeconds: number;
  readonly report: (step: string) => void;
}

/** How far apart the clocks of mula and of a supervisor that was killed may be. */
const margin = '10 minutes';
const perBatch = 5_000;

/**
 * Makes queue, leases and the other tables agree with `tasks`, which mula (before adoption, or on a way back) or a person may
 * have changed. The first run is the adoption. A later start is cheap: it looks up queued and leased tasks by id, and reads of
 * `tasks` only what was created since a supervisor last worked; it does not scan finished tasks. Where mula has been, which
 * its own index shows (sql/back-to-mula.sql), it does: mula may have retried any of them.
 */
export async function reconcile(client: Client, options: ReconcileOptions): Promise<void> {
  const { rows } = await client.query<{ since: string }>(
    `SELECT coalesce(max(at) - interval '${margin}', '-infinity')::text AS since
     FROM rota_alive WHERE to_regclass('ix_tasks_status_queued') IS NULL`,
  );
  const { since } = rows[0]!;
  const everything = since === '-infinity';
  await resumeCounting(client);
  const strays = await removeStrays(client);
  await addHashes(client, [since]);
  const queued = await count(client, 'schema/reconcile-enqueue', [since]);
  const duplicates = await count(client, 'schema/reconcile-duplicates', [since]);
  const leased = await count(client, 'schema/reconcile-leases', [since, strays, options.gracePeriodSeconds]);
  if (everything) await count(client, 'schema/reconcile-recovered');
  await count(client, 'schema/reconcile-outcomes', [since, strays]);
  if (everything) {
    await count(client, 'schema/reconcile-seen');
    await count(client, 'schema/reconcile-disabled');
  }
  await recountWhereEmpty(client);
  if (queued + duplicates + leased + strays.length > 0) {
    options.report(
      `reconciled: ${queued} tasks queued, ${duplicates} duplicates cancelled, ${leased} leased, ${strays.length} changed by others`,
    );
  }
  await count(client, 'settle/alive');
  // Last: while it exists, an interrupted run is done again. It would end HOT for every claim.
  await client.query('DROP INDEX CONCURRENTLY IF EXISTS ix_tasks_hash');
  await client.query('DROP INDEX CONCURRENTLY IF EXISTS ix_tasks_status_queued');
}

/** The way back to mula disables the triggers that count, and empties the counts. */
async function resumeCounting(client: Client): Promise<void> {
  const { rows } = await client.query<{ tgname: string }>(
    "SELECT tgname FROM pg_trigger WHERE tgrelid = 'tasks'::regclass AND tgname LIKE 'rota\\_count\\_%' AND tgenabled = 'D'",
  );
  if (rows.length === 0) return;
  const enable = rows.map(({ tgname }) => `ENABLE TRIGGER ${tgname}`).join(', ');
  await changeSchema(client, () => client.query(`ALTER TABLE tasks ${enable}`));
}

async function removeStrays(client: Client): Promise<readonly string[]> {
  // By id: a hash join would read every finished task to look at the queued ones.
  await client.query('SET enable_hashjoin = off; SET enable_mergejoin = off');
  try {
    const { rows } = await client.query<{ id: string }>(statement('schema/reconcile-strays'));
    return rows.map((row) => row.id);
  } finally {
    await client.query('RESET enable_hashjoin; RESET enable_mergejoin');
  }
}

async function addHashes(client: Client, range: readonly unknown[]): Promise<void> {
  while (true) {
    const { rows } = await client.query<{ id: string; type: string; data: Record<string, unknown> }>(
      statement('schema/reconcile-unhashed'),
      [...range, perBatch],
    );
    if (rows.length === 0) return;
    const hashes = rows.map(({ id, type, data }) => hashOf(type, data) ?? id.replaceAll('-', ''));
    await client.query(statement('schema/reconcile-hash'), [rows.map((row) => row.id), hashes]);
  }
}

/** Null for data that does not fit its type: such a task is queued under a hash of its own. */
function hashOf(type: string, data: Record<string, unknown>): string | null {
  const parsed = taskTypeOf(type).schema.safeParse(data);
  return parsed.success ? taskTypeOf(type).hash(parsed.data) : null;
}

async function count(client: Client, name: string, values: readonly unknown[] = []): Promise<number> {
  const { rowCount } = await client.query(statement(name), [...values]);
  return rowCount ?? 0;
}

const statements = new URL('../../../sql/back-to-mula.sql', import.meta.url);

/**
 * Gives the database back to mula (sql/back-to-mula.sql). Can be run again; a later start of Rota takes over what mula
 * did.
 * @throws RotaError CONFLICT while a supervisor is connected, SCHEMA_UNKNOWN; what `inSession` throws
 */
export async function giveBackToMula(databaseUrl: string): Promise<void> {
  const giveBack = async (client: Client) => {
    await lockSchema(client);
    const { rows } = await client.query<{ ours: boolean }>(
      "SELECT to_regclass('queued_organisations') IS NOT NULL AS ours",
    );
    if (rows[0]?.ours !== true) {
      throw new RotaError('SCHEMA_UNKNOWN', 'the database is not one that this version of Rota has worked on');
    }
    await untilNobodyWorks(client);
    await runEach(client, await readFile(statements, 'utf8'));
  };
  // An older Rota took databases of any encoding: those can be given back.
  await inSession(databaseUrl, giveBack, { anyEncoding: true });
}

/** The sessions of a process that has just ended stay for a moment. */
async function untilNobodyWorks(client: Client): Promise<void> {
  for (let look = 1; ; look += 1) {
    const { rowCount } = await client.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND (application_name = 'rota' OR application_name LIKE 'rota (%')",
    );
    if (rowCount === 0) return;
    if (look === 5) {
      throw new RotaError('CONFLICT', `Rota works on this database (${rowCount} connections): stop it first`);
    }
    await time.sleep(200);
  }
}
