import { taskStatuses, type TaskStatus } from '../../tasks/status.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';

export interface StatsQuery {
  readonly schedulerId?: string;
  /** All where absent. */
  readonly organisations?: readonly string[];
}

/** `{"2025-05-27T09:00:00+00:00": {pending, …, total}}` as JSON text, newest hour first; hours without a change are absent. */
export async function readTaskStats(sql: Sql, { schedulerId, organisations }: StatsQuery): Promise<string> {
  const values = [schedulerId ?? null, organisations ?? null];
  return JSON.stringify(tally(await transact(() => query<StatsRow>(sql, statement('maintenance/task-stats'), values))));
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
