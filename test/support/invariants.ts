import type { Client } from 'pg';
import { expect } from 'vitest';

const holdings = {
  'queue rows are the queued tasks': ["SELECT id FROM tasks WHERE status = 'QUEUED'", 'SELECT id FROM queue'],
  'leases are of the tasks under way': [
    "SELECT id FROM tasks WHERE status IN ('DISPATCHED', 'RUNNING')",
    'SELECT task_id AS id FROM leases',
  ],
  'rare outcomes are the failed and cancelled tasks': [
    "SELECT id || status::text AS id FROM tasks WHERE status IN ('FAILED', 'CANCELLED')",
    'SELECT task_id || status::text AS id FROM rare_outcomes',
  ],
  'totals are the tasks by status': [
    "SELECT concat(scheduler_id, ' ', status, ' ', count(*)) AS id FROM tasks GROUP BY scheduler_id, status",
    "SELECT concat(scheduler, ' ', status, ' ', count) AS id FROM task_totals WHERE count <> 0",
  ],
} as const;

/** What always holds (docs/queue-semantics.md) while nothing is unfolded. */
export async function expectInvariants(client: Client): Promise<void> {
  const ids = async (sql: string) => (await client.query<{ id: string }>(`${sql} ORDER BY 1`)).rows.map(({ id }) => id);
  for (const [claim, [expected, found]] of Object.entries(holdings)) {
    expect(await ids(found), claim).toEqual(await ids(expected));
  }
}
