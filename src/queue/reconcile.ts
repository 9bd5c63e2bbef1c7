import type { Client } from 'pg';
import { taskTypeOf } from '../tasks/data.ts';
import { recountWhereEmpty } from './counts.ts';
import { statement } from './postgres.ts';

export interface ReconcileOptions {
  readonly gracePeriodSeconds: number;
  readonly report: (step: string) => void;
}

/** How far back the clocks of a mula and of a supervisor that was killed may be apart. */
const margin = '10 minutes';
const perBatch = 5_000;

/**
 * Makes queue, leases and the rest true to `tasks`, whoever changed those in between: mula before adoption, mula on a way
 * back, a person. Adoption is the first time it runs. Cheap at any later start: it looks up by id what is queued or
 * leased, and reads of `tasks` only what was created since a supervisor was last at work. Finished tasks are never
 * scanned. mula's index on queued tasks, which the way back recreates, also shows older tasks that mula queued again.
 */
export async function reconcile(client: Client, options: ReconcileOptions): Promise<void> {
  const { rows } = await client.query<{ since: string; first: boolean; mula: boolean }>(
    `SELECT coalesce((SELECT at - interval '${margin}' FROM rota_alive), '-infinity')::text AS since,
       NOT EXISTS (SELECT FROM rota_alive) AS first, to_regclass('ix_tasks_status_queued') IS NOT NULL AS mula`,
  );
  const { since, first, mula } = rows[0]!;
  const strays = await removeStrays(client);
  await addHashes(client, [since, mula]);
  const queued = await count(client, 'reconcile-enqueue', [since, mula]);
  const duplicates = await count(client, 'reconcile-duplicates', [since, mula]);
  const leased = await count(client, 'reconcile-leases', [since, strays, options.gracePeriodSeconds]);
  if (mula && !first) await count(client, 'reconcile-recovered');
  await count(client, 'reconcile-outcomes', [since, strays]);
  if (first || mula) {
    await count(client, 'reconcile-seen');
    await count(client, 'reconcile-disabled');
  }
  await recountWhereEmpty(client);
  if (queued + duplicates + leased + strays.length > 0) {
    options.report(
      `reconciled: ${queued} tasks queued, ${duplicates} duplicates cancelled, ${leased} leased, ${strays.length} changed by others`,
    );
  }
  await count(client, 'alive');
  // Last: as long as it is there, an interrupted run is done again. It would end HOT for every claim.
  await client.query('DROP INDEX CONCURRENTLY IF EXISTS ix_tasks_hash');
  await client.query('DROP INDEX CONCURRENTLY IF EXISTS ix_tasks_status_queued');
}

async function removeStrays(client: Client): Promise<readonly string[]> {
  // By id: a hash join would read every finished task to find out about those that are queued.
  await client.query('SET enable_hashjoin = off; SET enable_mergejoin = off');
  try {
    const { rows } = await client.query<{ id: string }>(statement('reconcile-strays'));
    return rows.map((row) => row.id);
  } finally {
    await client.query('RESET enable_hashjoin; RESET enable_mergejoin');
  }
}

async function addHashes(client: Client, range: readonly unknown[]): Promise<void> {
  while (true) {
    const { rows } = await client.query<{ id: string; type: string; data: Record<string, unknown> }>(
      statement('reconcile-unhashed'),
      [...range, perBatch],
    );
    if (rows.length === 0) return;
    const hashes = rows.map(({ id, type, data }) => hashOf(type, data) ?? id.replaceAll('-', ''));
    await client.query(statement('reconcile-hash'), [rows.map((row) => row.id), hashes]);
  }
}

/** Null for data that is not what its type says: such a task still has a place of its own on the queue. */
function hashOf(type: string, data: Record<string, unknown>): string | null {
  const parsed = taskTypeOf(type).schema.safeParse(data);
  return parsed.success ? taskTypeOf(type).hash(parsed.data) : null;
}

async function count(client: Client, name: string, values: readonly unknown[] = []): Promise<number> {
  const { rowCount } = await client.query(statement(name), [...values]);
  return rowCount ?? 0;
}
