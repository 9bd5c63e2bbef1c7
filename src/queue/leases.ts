import type { Sql } from './postgres.ts';
import { query, statement, transact } from './postgres.ts';
import type { LeaseRef } from './queue.ts';

/** Renews the leases that are still held, from now on; the database's clock decides. */
export async function renewLeases(
  sql: Sql,
  leases: readonly LeaseRef[],
  leaseMs: number,
): Promise<{ renewed: string[]; lost: string[] }> {
  if (leases.length === 0) return { renewed: [], lost: [] };
  const rows = await transact(() =>
    query<{ task_id: string }>(sql, statement('heartbeat'), [
      leases.map((lease) => lease.id),
      leases.map((lease) => lease.leaseId),
      leaseMs,
    ]),
  );
  const held = new Set(rows.map((row) => row.task_id));
  const ids = leases.map((lease) => lease.id.toLowerCase());
  return { renewed: ids.filter((id) => held.has(id)), lost: ids.filter((id) => !held.has(id)) };
}
