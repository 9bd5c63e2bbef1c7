import { taskStatuses, type TaskStatus } from '../tasks/status.ts';
import { Conditions } from './conditions.ts';
import { databaseError, type Sql } from './postgres.ts';

export interface StatsQuery {
  readonly schedulerId?: string;
  /** All where absent. */
  readonly organisations?: readonly string[];
}

/**
 * `{"2025-05-27T09:00:00+00:00": {pending, …, total}}` as JSON text, newest hour first. Read from the tasks themselves. No index may name `modified_at` (it would end HOT updates), so a scheduler's or an
 * organisation's tasks are read in full.
 */
export async function readTaskStats(sql: Sql, of: StatsQuery): Promise<string> {
  const conditions = new Conditions();
  conditions.add(`t.modified_at >= now() - interval '24 hours'`);
  conditions.addEqual('t.scheduler_id', of.schedulerId);
  if (of.organisations !== undefined) {
    conditions.add(`t.organisation = ANY (${conditions.bind(of.organisations)}::text[])`);
  }
  const text = `
    SELECT to_char(date_trunc('hour', t.modified_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS hour,
      lower(t.status::text) AS status, count(*)::float8 AS count
    FROM tasks t${conditions.where()}
    GROUP BY 1, 2 ORDER BY 1 DESC`;
  try {
    const rows = await sql.unsafe<StatsRow[]>(text, conditions.values as never[], { prepare: false });
    return JSON.stringify(tally(rows));
  } catch (error) {
    throw databaseError(error);
  }
}

interface StatsRow {
  readonly hour: string;
  readonly status: TaskStatus;
  readonly count: number;
}

type Counts = Record<TaskStatus | 'total', number>;

function tally(rows: readonly StatsRow[]): Record<string, Counts> {
  const hours: Record<string, Counts> = {};
  for (const { hour, status, count } of rows) {
    const counts = (hours[hour] ??= { ...none });
    counts[status] = count;
    counts.total += count;
  }
  return hours;
}

const none = Object.fromEntries([...taskStatuses, 'total'].map((key) => [key, 0])) as Counts;
