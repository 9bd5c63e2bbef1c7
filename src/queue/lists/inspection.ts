import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { ScheduleView, StreakView, TaskView } from '../../protocol/operator.ts';
import type { DisabledReason, Schedule, Task } from '../../tasks/task.ts';
import { readStreaks } from '../schedules/schedule-store.ts';

interface SchedulerOverview {
  readonly scheduler: string;
  /** Held ones included. */
  readonly queued: number;
  /** Off the claim's path: paused. */
  readonly held: number;
  readonly leased: number;
  /** Age of the oldest queued task; null where nothing is queued. */
  readonly oldestSeconds: number | null;
}

/** The queue as operators see it. Reads only. */
export interface QueueInspection {
  overview(schedulers: readonly string[]): Promise<readonly SchedulerOverview[]>;
  /** Of the schedules that exist. */
  schedules(ids: readonly string[]): Promise<readonly ScheduleView[]>;
  /** A hash has one schedule at most; null where that scheduler has none. */
  scheduleOf(scheduler: string, hash: string): Promise<ScheduleView | null>;
  /** Of the tasks that exist. */
  details(ids: readonly string[]): Promise<readonly TaskView[]>;
  /** Each with the failures in a row of its hash. */
  withStreaks<T extends Hashed>(listed: readonly T[]): Promise<readonly (T & { readonly streak: StreakView | null })[]>;
}

export function createQueueInspection(sql: Sql): QueueInspection {
  const run = <Row extends object>(name: string, values: readonly unknown[]) =>
    transact(() => query<Row>(sql, statement(name), values));
  const withStreaks: QueueInspection['withStreaks'] = async (listed) => {
    const pairs = listed.flatMap(({ scheduler_id: scheduler, hash }) => (hash === null ? [] : [{ scheduler, hash }]));
    const streaks = new Map((await readStreaks(sql, pairs)).map((streak) => [streak.hash, streak]));
    return listed.map((one) => {
      const streak = one.hash === null ? undefined : streaks.get(one.hash);
      if (streak === undefined) return { ...one, streak: null };
      const { failures, bounded, firstAt } = streak;
      return { ...one, streak: { failures, bounded, since: new Date(firstAt).toISOString() } };
    });
  };
  return {
    withStreaks,
    async overview(schedulers) {
      const rows = await run<OverviewRow>('lists/queue-overview', [schedulers]);
      return rows.map(({ oldest_seconds, ...row }) => ({ ...row, oldestSeconds: oldest_seconds }));
    },
    async schedules(ids) {
      return withStreaks((await run<ScheduleDetailsRow>('lists/schedule-details', [ids])).map(scheduleView));
    },
    async scheduleOf(scheduler, hash) {
      const found = await run<ScheduleDetailsRow>('lists/schedule-of-hash', [scheduler, hash]);
      return (await withStreaks(found.map(scheduleView)))[0] ?? null;
    },
    async details(ids) {
      return withStreaks((await run<DetailRow>('lists/task-details', [ids])).map(taskView));
    },
  };
}

/** What a task or a schedule is about. */
interface Hashed {
  readonly scheduler_id: string;
  readonly hash: string | null;
}

interface OverviewRow {
  readonly scheduler: string;
  readonly queued: number;
  readonly held: number;
  readonly leased: number;
  readonly oldest_seconds: number | null;
}

interface ScheduleDetailsRow {
  readonly schedule: string;
  readonly disabled_reason: DisabledReason | null;
  readonly inherited: boolean;
  readonly by_interval: boolean;
  readonly asked: boolean;
}

function scheduleView({ schedule, ...rest }: ScheduleDetailsRow): Omit<ScheduleView, 'streak'> {
  return { ...(JSON.parse(schedule) as Schedule), ...rest };
}

interface DetailRow {
  readonly task: string;
  readonly reason: string | null;
  readonly attempts: number;
  readonly unbegun: number;
  readonly lease_id: string | null;
  readonly worker: string | null;
  readonly via: 'nats' | 'rest' | null;
  readonly lease_until: string | null;
  readonly begun: boolean | null;
  readonly held: boolean | null;
  readonly ahead: number | null;
}

function taskView({
  task,
  reason,
  attempts,
  unbegun,
  lease_id,
  worker,
  via,
  lease_until,
  begun,
  held,
  ahead,
}: DetailRow): Omit<TaskView, 'streak'> {
  return {
    ...(JSON.parse(task) as Task),
    reason,
    attempts,
    unbegun,
    lease: lease_id === null ? null : { id: lease_id, worker, via: via!, until: lease_until!, begun: begun! },
    queue: held === null ? null : { held, ahead },
  };
}
