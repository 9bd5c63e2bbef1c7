import { readdir, readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { RotaError } from '../../errors.ts';
import { reconcile } from './adoption.ts';
import { changeSchema, lockSchema, runEach } from './schema-lock.ts';
import { inSession } from '../../postgres/session.ts';
import { setUpFault } from '../../postgres/session-fault.ts';
import { databaseError } from '../../postgres/sql-states.ts';

export interface MigrateOptions {
  /** Adopted tasks that are under way get a lease of so long: mula's grace period. */
  readonly gracePeriodSeconds?: number;
  /** A sentence for each step taken. */
  readonly report?: (step: string) => void;
}

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

const directory = new URL('../../../sql/migrations/', import.meta.url);
const adoptedRevision = '0010';

/**
 * Brings a database up to date: an empty one, one of mula's at alembic revision 0010, or one of ours. Safe to run by
 * several processes at once, and again after it was interrupted.
 * @throws RotaError SCHEMA_UNKNOWN for any other database; what `inSession` throws
 */
export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<void> {
  const report = options.report ?? (() => {});
  await inSession(databaseUrl, async (client) => {
    await lockSchema(client);
    await client.query(`CREATE TABLE IF NOT EXISTS rota_migrations (
      number integer PRIMARY KEY, name varchar NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
    const done = await applied(client);
    const known = await migrations();
    await recognise(client, done, known);
    for (const migration of known.filter(({ number }) => !done.has(number))) {
      if (migration.number === 1 && (await exists(client, 'tasks'))) await record(client, migration);
      else await apply(client, migration).catch((error: unknown) => stopped(client, migration, error));
      report(`migrated to ${migration.name}`);
    }
    await reconcile(client, { gracePeriodSeconds: options.gracePeriodSeconds ?? 86_400, report });
  });
}

/** Numbers of the migrations that the database has; none where it has never been ours. */
export async function applied(client: Client): Promise<ReadonlySet<number>> {
  if (!(await exists(client, 'rota_migrations'))) return new Set();
  const { rows } = await client.query<{ number: number }>('SELECT number FROM rota_migrations');
  return new Set(rows.map((row) => row.number));
}

/** All that this version knows, in order. */
export async function migrations(): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file) => ({
      number: Number.parseInt(file, 10),
      name: file.slice(0, -'.sql'.length),
      sql: await readFile(new URL(file, directory), 'utf8'),
    })),
  );
}

/** Of every migration that this version knows, in order. */
export async function migrationNames(): Promise<readonly string[]> {
  return (await migrations()).map(({ name }) => name);
}

/** @throws RotaError SCHEMA_UNKNOWN for a database that is neither empty, nor mula's at 0010, nor of this version or older */
export async function recognise(client: Client, done: ReadonlySet<number>, known: readonly Migration[]): Promise<void> {
  const newest = Math.max(0, ...done);
  const newestKnown = Math.max(...known.map(({ number }) => number));
  if (newest > newestKnown) {
    throw new RotaError(
      'SCHEMA_UNKNOWN',
      `the database was migrated to ${newest} by a newer Rota; this one knows ${newestKnown}: use the newer one`,
    );
  }
  if (await exists(client, 'alembic_version')) {
    const { rows } = await client.query<{ version_num: string }>('SELECT version_num FROM alembic_version');
    const revision = rows[0]?.version_num ?? 'none';
    if (revision === adoptedRevision) return;
    throw new RotaError(
      'SCHEMA_UNKNOWN',
      `the database is mula's at alembic revision ${revision}; Rota adopts revision ${adoptedRevision}: let mula migrate to it first`,
      { fields: { revision } },
    );
  }
  if (await exists(client, 'tasks')) {
    throw new RotaError('SCHEMA_UNKNOWN', 'the database has a table "tasks" that is not mula\'s: use another database');
  }
}

export async function exists(client: Client, relation: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [relation]);
  return rows[0]?.there === true;
}

async function apply(client: Client, migration: Migration): Promise<void> {
  if (migration.sql.startsWith('-- outside a transaction\n')) {
    await runEach(client, migration.sql);
    await record(client, migration);
    return;
  }
  await changeSchema(client, async () => {
    await client.query(migration.sql);
    await record(client, migration);
  });
}

/**
 * What a migration did in a transaction is undone with it, what it did outside of one is done anew the next time: either way
 * the database is as before it, and the next run begins with it.
 */
function stopped(client: Client, { name }: Migration, error: unknown): never {
  const fault = setUpFault(error, client) ?? databaseError(error);
  const { code, message } = fault;
  if (code === 'DATABASE_UNAVAILABLE' || code === 'BAD_CONFIG') throw fault;
  throw new RotaError(
    'SCHEMA_UNKNOWN',
    `migration ${name} stopped (${message}): mend that, and run rota migrate again`,
    {
      cause: error,
    },
  );
}

async function record(client: Client, { number, name }: Migration): Promise<void> {
  await client.query('INSERT INTO rota_migrations (number, name) VALUES ($1, $2)', [number, name]);
}
