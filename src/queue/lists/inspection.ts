import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
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

export interface TaskDetails {
  readonly task: Task;
  /** Why it ended (`superseded`, `lease-expired`, …). */
  readonly reason: string | null;
  /** Claims so far that count. */
  readonly attempts: number;
  /** Claims whose holder never reported, since the last retry. */
  readonly unbegun: number;
  readonly lease: {
    readonly id: string;
    readonly worker: string | null;
    readonly via: 'nats' | 'rest';
    readonly until: string;
    /** Whether its holder has said anything about it. */
    readonly begun: boolean;
  } | null;
  /** Null where the task is not queued. `ahead`: queued tasks that go before it; null where a pause holds it. */
  readonly queue: { readonly held: boolean; readonly ahead: number | null } | null;
}

export interface ScheduleDetails {
  readonly schedule: Schedule;
  readonly disabledReason: DisabledReason | null;
  /** Its cron is the boefje's, and goes when the boefje's goes. */
  readonly inherited: boolean;
}

/** The queue as operators see it. Reads only. */
export interface QueueInspection {
  overview(schedulers: readonly string[]): Promise<readonly SchedulerOverview[]>;
  /** Of the schedules that exist. */
  schedules(ids: readonly string[]): Promise<readonly ScheduleDetails[]>;
  /** Of the tasks that exist. */
  details(ids: readonly string[]): Promise<readonly TaskDetails[]>;
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
      const rows = await run<ScheduleDetailsRow>('lists/schedule-details', [ids]);
      return rows.map(({ schedule, disabled_reason, inherited }) => ({
        schedule: JSON.parse(schedule) as Schedule,
        disabledReason: disabled_reason,
        inherited,
      }));
    },
    async details(ids) {
      return (await run<DetailRow>('lists/task-details', [ids])).map(detailsOf);
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

function detailsOf({
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
}: DetailRow): TaskDetails {
  return {
    task: JSON.parse(task) as Task,
    reason,
    attempts,
    unbegun,
    lease: lease_id === null ? null : { id: lease_id, worker, via: via!, until: lease_until!, begun: begun! },
    queue: held === null ? null : { held, ahead },
  };
}
