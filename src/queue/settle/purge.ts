import { tellCancelled } from './cancelled.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';

export interface Purged {
  /** Queued tasks that were cancelled with reason `purged`. */
  readonly tasks: number;
  readonly schedules: number;
  readonly pauses: number;
}

/** Rows of one statement: nobody waits long behind it. */
const perBatch = 1_000;

/**
 * Takes an organisation that is gone out of queue, schedules and pauses. What a worker holds is left to its end, and
 * finished tasks stay as history. Safe to repeat.
 */
export async function purgeOrganisation(
  sql: Sql,
  schedulers: readonly string[],
  organisation: string,
): Promise<Purged> {
  // Schedules first: one that falls due meanwhile would queue again.
  let schedules = 0;
  while (true) {
    const deleted = await transact(() => query(sql, statement('settle/purge-schedules'), [organisation, perBatch]));
    schedules += deleted.length;
    if (deleted.length === 0) break;
  }
  let tasks = 0;
  for (const scheduler of schedulers) {
    while (true) {
      const values = [scheduler, organisation, perBatch];
      const [row] = await transact(() => query<{ cancelled: string }>(sql, statement('settle/purge-queue'), values));
      const cancelled = tellCancelled(scheduler, 'purged', row!.cancelled);
      if (cancelled === 0) break;
      tasks += cancelled;
    }
  }
  const [rest] = await transact(() => query<{ pauses: number }>(sql, statement('settle/purge-rest'), [organisation]));
  return { tasks, schedules, pauses: rest!.pauses };
}
