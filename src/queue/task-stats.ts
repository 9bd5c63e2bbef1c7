import { taskStatuses, type TaskStatus } from '../tasks/status.ts';
import { Conditions } from './conditions.ts';
import { databaseError, type Sql } from './postgres.ts';

/** By hour (`2025-05-27T09:00:00+00:00`), newest first. */
export type TaskStats = Readonly<Record<string, Readonly<Record<TaskStatus | 'total', number>>>>;

/**
 * Read from the tasks themselves. No index may name `modified_at` (it would end HOT updates), so a scheduler's or an
 * organisation's tasks are read in full.
 */
export async function readTaskStats(
  sql: Sql,
  of: { schedulerId?: string | undefined; organisations?: readonly string[] | undefined },
): Promise<TaskStats> {
  const conditions = new Conditions();
  conditions.add(`t.modified_at >= now() - interval '24 hours'`);
  if (of.schedulerId !== undefined) conditions.add(`t.scheduler_id = ${conditions.bind(of.schedulerId)}`);
  if (of.organisations !== undefined && of.organisations.length > 0) {
    conditions.add(`t.organisation = ANY (${conditions.bind(of.organisations)}::text[])`);
  }
  const text = `
    SELECT to_char(date_trunc('hour', t.modified_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS hour,
      lower(t.status::text) AS status, count(*)::float8 AS count
    FROM tasks t${conditions.where()}
    GROUP BY 1, 2 ORDER BY 1 DESC`;
  try {
    const rows = await sql.unsafe<StatsRow[]>(text, conditions.values as never[], { prepare: false });
    return tally(rows);
  } catch (error) {
    throw databaseError(error);
  }
}

interface StatsRow {
  readonly hour: string;
  readonly status: TaskStatus;
  readonly count: number;
}

function tally(rows: readonly StatsRow[]): TaskStats {
  const hours: Record<string, Record<TaskStatus | 'total', number>> = {};
  for (const { hour, status, count } of rows) {
    const counts = (hours[hour] ??= { ...none });
    counts[status] = count;
    counts.total += count;
  }
  return hours;
}

const none = Object.fromEntries([...taskStatuses, 'total'].map((key) => [key, 0])) as Record<
  TaskStatus | 'total',
  number
>;
