import { readdir, readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { RotaError } from '../../errors.ts';
import { inSession, setUpFault } from '../../postgres/session.ts';
import { databaseError } from '../../postgres/sql-states.ts';
import { reconcile } from './adoption.ts';
import { changeSchema, lockSchema, runEach } from './schema-lock.ts';

interface MigrateOptions {
  /** The lease of adopted tasks that are under way: mula's grace period. */
  readonly gracePeriodSeconds?: number;
  /** Called with a sentence for each step taken. */
  readonly report?: (step: string) => void;
}

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

const directory = new URL('../../../sql/migrations/', import.meta.url);
const adoptedRevision = '0010';
/** The newest of the 22 migrations of before the first release; and the one that makes the same schema now: what follows is applied to both. */
const lastBeforeRelease = { number: 23, name: '0023_holders' } as const;
const sameSchema = { number: 4, name: '0004_indexes' } as const;

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
    let done = await applied(client);
    const known = await migrations();
    await recognise(client, done, known);
    if (isBeforeRelease(done, known)) {
      await renumber(client, known);
      report(`renumbered ${lastBeforeRelease.name} as ${sameSchema.name}`);
      done = await applied(client);
    }
    for (const migration of known.filter(({ number }) => !done.has(number))) {
      if (migration.number === 1 && (await exists(client, 'tasks'))) await record(client, migration);
      else await apply(client, migration).catch((error: unknown) => stopped(client, migration, error));
      report(`migrated to ${migration.name}`);
    }
    await reconcile(client, { gracePeriodSeconds: options.gracePeriodSeconds ?? 86_400, report });
  });
}

/** Names of the applied migrations by number; none where the database was never ours. */
async function applied(client: Client): Promise<AppliedMigrations> {
  if (!(await exists(client, 'rota_migrations'))) return new Map();
  const { rows } = await client.query<{ number: number; name: string }>('SELECT number, name FROM rota_migrations');
  return new Map(rows.map(({ number, name }) => [number, name]));
}

type AppliedMigrations = ReadonlyMap<number, string>;

/** One of its numbers has another name here. */
function isBeforeRelease(done: AppliedMigrations, known: readonly Migration[]): boolean {
  return known.some(({ number, name }) => (done.get(number) ?? name) !== name);
}

async function renumber(client: Client, known: readonly Migration[]): Promise<void> {
  await changeSchema(client, async () => {
    await client.query('DELETE FROM rota_migrations');
    for (const migration of known.filter(({ number }) => number <= sameSchema.number)) await record(client, migration);
  });
}

/** All that this version knows, in order. */
async function migrations(): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file) => ({
      number: Number.parseInt(file, 10),
      name: file.slice(0, -'.sql'.length),
      sql: await readFile(new URL(file, directory), 'utf8'),
    })),
  );
}

export async function migrationNames(): Promise<readonly string[]> {
  return (await migrations()).map(({ name }) => name);
}

/** @throws RotaError SCHEMA_UNKNOWN for a database that is neither empty, nor mula's at 0010, nor of this version or older */
async function recognise(client: Client, done: AppliedMigrations, known: readonly Migration[]): Promise<void> {
  const newest = Math.max(0, ...done.keys());
  if (isBeforeRelease(done, known)) {
    if (newest === lastBeforeRelease.number && done.get(newest) === lastBeforeRelease.name) return;
    throw new RotaError(
      'SCHEMA_UNKNOWN',
      `the database was migrated to ${done.get(newest)} by a Rota of before its first release; this one takes over ` +
        `${lastBeforeRelease.name} only: let the last of those migrate it first (CHANGELOG.md, Upgrading)`,
    );
  }
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

async function exists(client: Client, relation: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [relation]);
  return rows[0]?.there === true;
}

async function apply(client: Client, migration: Migration): Promise<void> {
  if (isOutside(migration)) {
    await runEach(client, migration.sql);
    await record(client, migration);
    return;
  }
  await changeSchema(client, async () => {
    await client.query(migration.sql);
    await record(client, migration);
  });
}

/** A migration in a transaction is undone with it, one outside is done anew: the next run begins with it either way. */
function stopped(client: Client, { name }: Migration, error: unknown): never {
  const fault = setUpFault(error, client) ?? databaseError(error);
  const { code, message } = fault;
  if (code === 'DATABASE_UNAVAILABLE' || code === 'BAD_CONFIG') throw fault;
  const said = `migration ${name} stopped (${message}): mend that, and run rota migrate again`;
  throw new RotaError('SCHEMA_UNKNOWN', said, { cause: error });
}

async function record(client: Client, { number, name }: Migration): Promise<void> {
  await client.query('INSERT INTO rota_migrations (number, name) VALUES ($1, $2)', [number, name]);
}

/** What `migrate` would do now. */
export interface MigrationPlan {
  /** mula's that was never adopted, one of ours, or one without a table. */
  readonly database: 'empty' | 'mula' | 'rota';
  /** Names of migrations that would be applied, in order. */
  readonly pending: readonly string[];
  /** What else would happen, a sentence each. */
  readonly steps: readonly string[];
}

/**
 * Reads only, and does not wait for a migration that runs.
 * @throws RotaError SCHEMA_UNKNOWN where `migrate` would refuse; what `inSession` throws
 */
export async function planMigration(databaseUrl: string): Promise<MigrationPlan> {
  return reading(databaseUrl, async (client, known) => {
    const { ours, renumbers, pending } = await pendingIn(client, known);
    if (!ours && !(await exists(client, 'tasks'))) return { database: 'empty', pending, steps: [] };
    const builds = known.filter(isOutside).some(({ name }) => pending.includes(name));
    const steps = [...(builds ? await interrupted(client) : []), ...(await takenOver(client, ours))];
    if (renumbers) {
      const step = `${lastBeforeRelease.name} would be renumbered as ${sameSchema.name}, which changes no table`;
      return { database: 'rota', pending, steps: [step, ...steps] };
    }
    return { database: ours ? 'rota' : 'mula', pending, steps };
  });
}

/**
 * For a start that does not migrate itself.
 * @throws RotaError SCHEMA_UNKNOWN that names the migrations which are not applied: none of them, or not all
 * @param reads alone: what runs on the database is another process, whose version is the right one
 */
export async function requireMigrated(databaseUrl: string, { reads = false } = {}): Promise<void> {
  const { ours, pending } = await reading(databaseUrl, pendingIn);
  if (pending.length === 0) return;
  const left = [...new Set([pending[0], pending.at(-1)])].join(' to ');
  const its = ours ? 'use the rota of the version that runs on it' : 'no Rota runs on it';
  const message = `the database is not migrated (${left} left): ${reads ? its : 'run rota migrate'}`;
  throw new RotaError('SCHEMA_UNKNOWN', message, { fields: { pending } });
}

async function pendingIn(
  client: Client,
  known: readonly Migration[],
): Promise<{ readonly ours: boolean; readonly renumbers: boolean; readonly pending: readonly string[] }> {
  const done = await applied(client);
  await recognise(client, done, known);
  const renumbers = isBeforeRelease(done, known);
  const isApplied = ({ number }: Migration) => (renumbers ? number <= sameSchema.number : done.has(number));
  const pending = known.filter((migration) => !isApplied(migration)).map(({ name }) => name);
  return { ours: done.size > 0, renumbers, pending };
}

function reading<T>(
  databaseUrl: string,
  work: (client: Client, known: readonly Migration[]) => Promise<T>,
): Promise<T> {
  return inSession(databaseUrl, async (client) => {
    await client.query('BEGIN READ ONLY');
    return work(client, await migrations());
  });
}

/** Builds indexes beside running reads and writes. */
const isOutside = ({ sql }: Migration) => sql.startsWith('-- outside a transaction\n');

/** Indexes that a killed `migrate` left half-built, whose migration is pending. Others are a finding of `rota doctor`. */
async function interrupted(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT i.indisvalid ORDER BY 1`,
  );
  const names = rows.map(({ name }) => name).join(', ');
  return names === '' ? [] : [`an earlier run was interrupted: ${names} would be built again`];
}

/** mula's own index of queued tasks exists exactly where mula was, or is, at work (adoption.ts). */
async function takenOver(client: Client, ours: boolean): Promise<readonly string[]> {
  if (!(await exists(client, 'ix_tasks_status_queued'))) return [];
  const { rows } = await client.query<{ queued: string; under_way: string; tasks: string; schedules: string }>(
    `SELECT count(*) FILTER (WHERE status = 'QUEUED') AS queued,
       count(*) FILTER (WHERE status IN ('DISPATCHED', 'RUNNING')) AS under_way, count(*) AS tasks,
       (SELECT count(*) FROM schedules) AS schedules
     FROM tasks`,
  );
  const { queued, under_way: underWay, tasks, schedules } = rows[0]!;
  const what = ours ? 'what mula did since it was given the database back would be taken over' : 'would be adopted';
  return [
    `${what}; ${tasks} tasks and ${schedules} schedules stay where they are`,
    `${queued} tasks would be queued, and ${underWay} that are under way get one grace period`,
  ];
}
