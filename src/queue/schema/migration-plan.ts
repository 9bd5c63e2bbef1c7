import type { Client } from 'pg';
import { RotaError } from '../../errors.ts';
import { applied, exists, type Migration, migrations, recognise } from './migrations.ts';
import { inSession } from '../../postgres/session.ts';

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
 * Reads only, and waits for nobody who migrates at this moment.
 * @throws RotaError SCHEMA_UNKNOWN where `migrate` would refuse; what `inSession` throws
 */
export async function planMigration(databaseUrl: string): Promise<MigrationPlan> {
  return reading(databaseUrl, async (client, known) => {
    const { ours, pending } = await pendingIn(client, known);
    if (!ours && !(await exists(client, 'tasks'))) return { database: 'empty', pending, steps: [] };
    const steps = [...(await interrupted(client)), ...(await takenOver(client, ours))];
    return { database: ours ? 'rota' : 'mula', pending, steps };
  });
}

/**
 * For a start that does not migrate itself.
 * @throws RotaError SCHEMA_UNKNOWN that names the migrations which are not applied: none of them, or not all
 */
export async function requireMigrated(databaseUrl: string): Promise<void> {
  const { pending } = await reading(databaseUrl, pendingIn);
  if (pending.length === 0) return;
  const left = pending.length === 1 ? pending[0] : `${pending[0]} to ${pending.at(-1)}`;
  throw new RotaError('SCHEMA_UNKNOWN', `the database is not migrated (${left} left): run rota migrate`, {
    fields: { pending },
  });
}

async function pendingIn(
  client: Client,
  known: readonly Migration[],
): Promise<{ readonly ours: boolean; readonly pending: readonly string[] }> {
  const done = await applied(client);
  await recognise(client, done, known);
  return { ours: done.size > 0, pending: known.filter(({ number }) => !done.has(number)).map(({ name }) => name) };
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

/** An index that a killed `migrate` left half-built: its migration is not recorded, and builds it anew. */
async function interrupted(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT i.indisvalid ORDER BY 1`,
  );
  if (rows.length === 0) return [];
  return [`an earlier run was interrupted: ${rows.map(({ name }) => name).join(', ')} would be built anew`];
}

/** mula's own index of what is queued is there exactly where mula was, or is, at work (reconcile.ts). */
async function takenOver(client: Client, ours: boolean): Promise<readonly string[]> {
  if (!(await exists(client, 'ix_tasks_status_queued'))) return [];
  const { rows } = await client.query<{ queued: string; under_way: string; tasks: string; schedules: string }>(
    `SELECT count(*) FILTER (WHERE status = 'QUEUED') AS queued,
       count(*) FILTER (WHERE status IN ('DISPATCHED', 'RUNNING')) AS under_way, count(*) AS tasks,
       (SELECT count(*) FROM schedules) AS schedules
     FROM tasks`,
  );
  const { queued, under_way: underWay, tasks, schedules } = rows[0]!;
  const kept = `${tasks} tasks and ${schedules} schedules stay where they are`;
  return [
    ours
      ? `what mula did since it was given the database back would be taken over; ${kept}`
      : `would be adopted; ${kept}`,
    `${queued} tasks would be queued, and ${underWay} that are under way get one grace period`,
  ];
}
