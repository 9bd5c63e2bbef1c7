import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { ScheduleView, TaskView } from '../../protocol/operator.ts';
import type { DisabledReason, Schedule, Task } from '../../tasks/task.ts';

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
}

export function createQueueInspection(sql: Sql): QueueInspection {
  const run = <Row extends object>(name: string, values: readonly unknown[]) =>
    transact(() => query<Row>(sql, statement(name), values));
  return {
    async overview(schedulers) {
      const rows = await run<OverviewRow>('lists/queue-overview', [schedulers]);
      return rows.map(({ oldest_seconds, ...row }) => ({ ...row, oldestSeconds: oldest_seconds }));
    },
    async schedules(ids) {
      return (await run<ScheduleDetailsRow>('lists/schedule-details', [ids])).map(scheduleView);
    },
    async scheduleOf(scheduler, hash) {
      const [found] = await run<ScheduleDetailsRow>('lists/schedule-of-hash', [scheduler, hash]);
      return found === undefined ? null : scheduleView(found);
    },
    async details(ids) {
      return (await run<DetailRow>('lists/task-details', [ids])).map(taskView);
    },
  };
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
}

function scheduleView({ schedule, disabled_reason, inherited }: ScheduleDetailsRow): ScheduleView {
  return { ...(JSON.parse(schedule) as Schedule), disabled_reason, inherited };
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
}: DetailRow): TaskView {
  return {
    ...(JSON.parse(task) as Task),
    reason,
    attempts,
    unbegun,
    lease: lease_id === null ? null : { id: lease_id, worker, via: via!, until: lease_until!, begun: begun! },
    queue: held === null ? null : { held, ahead },
  };
}
