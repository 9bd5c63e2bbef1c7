import type { Load } from './load/load.ts';
import type { Published } from './load/events.ts';
import type { DrillPostgres } from './postgres.ts';

interface TaskRow {
  readonly id: string;
  readonly status: string;
  readonly queued: boolean;
  readonly leased: boolean;
}

export interface Audit {
  /** Accepted, and neither queued, leased nor finished; or reported completed, and it is not. */
  readonly lost: readonly string[];
  /** Failed, though no worker said so. */
  readonly givenUp: number;
  /** Refused to its pusher, and done all the same. */
  readonly doneThoughRefused: number;
  /** Repeats that were refused though the first had been carried out. */
  readonly refusedRepeats: number;
  /** Reports that were refused since the lease had gone to another. */
  readonly taken: number;
}

/** Holds the ledger against the database. */
export async function audit(postgres: DrillPostgres, load: Load): Promise<Audit> {
  const { ledger } = load;
  const mustExist = ledger.mustExist;
  // Before the look: what is confirmed while that is made may be newer than it.
  const completed = new Set(mustExist.filter((id) => ledger.isCompleted(id)));
  const found = new Map((await rowsOf(postgres, mustExist)).map((row) => [row.id, row]));
  const refused = await rowsOf(postgres, ledger.refused);
  const pushes = await rowsOf(postgres, ledger.refusedPushes);
  const reports = await rowsOf(postgres, ledger.refusedReports);
  // Finished, and no other holder had its end confirmed: the report that went unanswered did it.
  const carriedOut = reports.filter(({ id, status }) => status === 'COMPLETED' && !completed.has(id));
  return {
    lost: mustExist
      .filter((id) => !isKept(found.get(id), completed.has(id)))
      .map((id) => `${id} (${stateOf(found.get(id))}${completed.has(id) ? ', confirmed as completed' : ''})`),
    givenUp: [...found.values()].filter(({ status }) => status === 'FAILED').length,
    doneThoughRefused: refused.length,
    refusedRepeats: pushes.length + carriedOut.length,
    taken: reports.length - carriedOut.length,
  };
}

function isKept(row: TaskRow | undefined, completed: boolean): boolean {
  if (row === undefined) return false;
  if (completed) return row.status === 'COMPLETED';
  if (row.status === 'QUEUED') return row.queued;
  if (row.status === 'DISPATCHED' || row.status === 'RUNNING') return row.leased;
  return row.status === 'COMPLETED' || row.status === 'FAILED';
}

function stateOf(row: TaskRow | undefined): string {
  if (row === undefined) return 'not in the database';
  return [row.status, ...(row.queued ? ['queued'] : []), ...(row.leased ? ['leased'] : [])].join(' ');
}

function rowsOf(postgres: DrillPostgres, ids: readonly string[]): Promise<TaskRow[]> {
  return postgres.query<TaskRow>(
    `SELECT t.id, t.status, q.id IS NOT NULL AS queued, l.task_id IS NOT NULL AS leased
       FROM unnest($1::uuid[]) AS asked (id) JOIN tasks t USING (id)
       LEFT JOIN queue q ON q.id = t.id LEFT JOIN leases l ON l.task_id = t.id`,
    [ids],
  );
}

/** When the task of each event was made, in epoch milliseconds of the database's clock. */
export async function tasksOf(
  postgres: DrillPostgres,
  published: readonly Published[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await postgres.query<{ ooi: string; at: string }>(
    `SELECT data ->> 'input_ooi' AS ooi, min(extract(epoch FROM created_at) * 1000) AS at
       FROM tasks WHERE scheduler_id = 'boefje' AND organisation = ANY($1) GROUP BY 1`,
    [[...new Set(published.map(({ organisation }) => organisation))]],
  );
  return new Map(rows.map(({ ooi, at }) => [ooi, Number(at)]));
}

/** Whether workers have done all they were given and every event became its task. */
export async function isSettled(postgres: DrillPostgres, load: Load): Promise<boolean> {
  const made = await tasksOf(postgres, load.events.published);
  if (load.events.published.some(({ ooi }) => !made.has(ooi))) return false;
  const [row] = await postgres.query<{ queued: number }>(
    "SELECT count(*)::int AS queued FROM queue WHERE scheduler = 'boefje'",
  );
  return row!.queued === 0 && load.ledger.inHand === 0;
}
