import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { ScheduleView, StreakView } from '../../protocol/operator-lists.ts';
import type { DisabledReason, Schedule } from '../../tasks/task.ts';
import { readStreaks } from '../schedules/schedule-store.ts';

/** What a task or a schedule is about. */
export interface Hashed {
  readonly scheduler_id: string;
  readonly hash: string | null;
}

/** Each with the failures in a row of its hash. */
export async function withStreaks<T extends Hashed>(
  sql: Sql,
  listed: readonly T[],
): Promise<readonly (T & { readonly streak: StreakView | null })[]> {
  const pairs = listed.flatMap(({ scheduler_id: scheduler, hash }) => (hash === null ? [] : [{ scheduler, hash }]));
  const streaks = new Map((await readStreaks(sql, pairs)).map((streak) => [streak.hash, streak]));
  return listed.map((one) => {
    const streak = one.hash === null ? undefined : streaks.get(one.hash);
    if (streak === undefined) return { ...one, streak: null };
    const { failures, bounded, firstAt } = streak;
    return { ...one, streak: { failures, bounded, since: new Date(firstAt).toISOString() } };
  });
}

interface ScheduleDetailsRow {
  readonly schedule: string;
  readonly disabled_reason: DisabledReason | null;
  readonly inherited: boolean;
  readonly by_interval: boolean;
  readonly asked: boolean;
}

interface LatestRow extends NonNullable<ScheduleView['last']> {
  readonly hash: string;
}

/** The schedules that a statement finds, with how their runs went. */
export async function readSchedules(
  sql: Sql,
  name: 'lists/schedule-details' | 'lists/schedule-of-hash',
  values: readonly unknown[],
): Promise<readonly ScheduleView[]> {
  const rows = await transact(() => query<ScheduleDetailsRow>(sql, statement(name), values));
  if (rows.length === 0) return [];
  const found = rows.map(({ schedule, ...rest }) => ({ ...(JSON.parse(schedule) as Schedule), ...rest }));
  const pairs = [found.map(({ scheduler_id: scheduler }) => scheduler), found.map(({ hash }) => hash)];
  const [streaked, latest] = await Promise.all([
    withStreaks(sql, found),
    transact(() => query<LatestRow>(sql, statement('lists/latest-of-hashes'), pairs)),
  ]);
  const last = new Map(latest.map(({ hash, ...task }) => [hash, task]));
  return streaked.map((one) => ({ ...one, last: last.get(one.hash) ?? null }));
}
