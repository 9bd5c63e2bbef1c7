import { queryByKey, type Sql, statement } from '../../postgres/pool.ts';
import type { ScheduleView, StartEstimate, StreakView, TaskView } from '../../protocol/operator-lists.ts';
import type { SchedulerView } from '../../protocol/operator-status.ts';
import type { Task, TaskHistory } from '../../tasks/task.ts';
import { type BoundedCounts, countedAtLook, type QueueSize, queueSizeOf, queueSizeStatement } from './queue-size.ts';
import { type FlowRow, isoOf, isSilent, lookBack, notInLine, paceOf, type StartRow, startOf } from './start.ts';
import { type Hashed, readSchedules, withStreaks } from './schedule-details.ts';

interface SchedulerOverview extends Omit<QueueSize, 'waiting'> {
  readonly scheduler: string;
  readonly leased: number;
  /** Age of the oldest task that may be popped, of the 10 000 that go first; null where there is none. */
  readonly oldestSeconds: number | null;
  readonly flow: Pick<SchedulerView, 'per_second' | 'estimated_empty_at' | 'asked_at' | 'out_seconds_ago'>;
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
  /** The same without failures in a row, and without `ahead`: for what needs no place in the queue. */
  standing(ids: readonly string[]): Promise<readonly Omit<TaskView, 'streak'>[]>;
  /** Each with the failures in a row of its hash. */
  withStreaks<T extends Hashed>(listed: readonly T[]): Promise<readonly (T & { readonly streak: StreakView | null })[]>;
  /**
   * When it starts; it is in line where `details` says that it is queued and not held.
   * @param most tasks before it that are counted
   */
  start(task: Pick<TaskView, 'id' | 'queue'>, most?: number): Promise<StartEstimate>;
}

/** Rows that are counted before a task: 10 to 30 ms. */
const countedAtMost = 100_000;

/** Of the tasks of one request together, their places in the queue (task-details.sql). */
const placesAtMost = 10_000;

export function createQueueInspection(sql: Sql): QueueInspection {
  const tasksOf = async (ids: readonly string[], places: boolean) => {
    const rows = await runByKey<DetailRow>('lists/task-details', [ids, places]);
    return rows.map((row) => taskView(row, Math.floor(placesAtMost / ids.length)));
  };
  const runByKey = <Row extends object>(name: string, values: readonly unknown[]) =>
    queryByKey<Row>(sql, statement(name), values);
  return {
    withStreaks: (listed) => withStreaks(sql, listed),
    async overview(schedulers) {
      const values = [schedulers, ...lookBack, countedAtLook];
      const rows = await queryByKey<OverviewRow>(sql, queueSizeStatement('lists/queue-overview'), values);
      return rows.map((row) => {
        const { scheduler, leased, oldest_seconds: oldestSeconds } = row;
        const { waiting, ...size } = queueSizeOf(row);
        return { scheduler, ...size, leased, oldestSeconds, flow: flowOf(row, waiting) };
      });
    },
    async schedules(ids) {
      return readSchedules(sql, 'lists/schedule-details', [ids]);
    },
    async scheduleOf(scheduler, hash) {
      return (await readSchedules(sql, 'lists/schedule-of-hash', [scheduler, hash]))[0] ?? null;
    },
    async details(ids) {
      return withStreaks(sql, await tasksOf(ids, true));
    },
    standing: (ids) => tasksOf(ids, false),
    async start({ id, queue }, most = countedAtMost) {
      if (queue === null) return notInLine('not-queued');
      if (queue.held) return notInLine(queue.limit === null ? 'held' : 'limited');
      return startOf(await runByKey<StartRow>('lists/task-start', [id, most, ...lookBack]), most);
    },
  };
}

interface OverviewRow extends FlowRow, BoundedCounts, Pick<SchedulerView, 'out_seconds_ago' | 'oldest_seconds'> {
  readonly scheduler: string;
  readonly leased: number;
}

interface DetailRow extends TaskHistory {
  readonly task: string;
  readonly reason: string | null;
  readonly attempts: number;
  readonly unbegun: number;
  readonly lease_id: string | null;
  readonly lease_worker: string | null;
  readonly via: 'nats' | 'rest' | null;
  readonly lease_until: string | null;
  readonly begun: boolean | null;
  readonly held: boolean | null;
  readonly limited: string | null;
  readonly ahead: number | null;
}

function taskView(row: DetailRow, most: number): Omit<TaskView, 'streak'> {
  const {
    task,
    lease_id: id,
    lease_worker: worker,
    via,
    lease_until: until,
    begun,
    held,
    limited,
    ahead,
    ...rest
  } = row;
  return {
    ...(JSON.parse(task) as Task),
    ...rest,
    lease: id === null ? null : { id, worker, via: via!, until: until!, begun: begun! },
    queue:
      held === null
        ? null
        : { held, limit: limited, ahead: ahead && Math.min(ahead, most), ahead_is_least: (ahead ?? 0) > most },
  };
}

function flowOf(row: OverviewRow, waiting: number | null): SchedulerOverview['flow'] {
  const perSecond = row.tasks === 0 ? null : paceOf(row).perSecond;
  const silent = isSilent(row.now_ms, row.asked_ms ?? 0, perSecond);
  return {
    per_second: perSecond,
    estimated_empty_at:
      perSecond === null || silent || !waiting ? null : isoOf(row.now_ms + (waiting / perSecond) * 1_000),
    asked_at: row.asked_ms === null ? null : isoOf(row.asked_ms),
    out_seconds_ago: row.out_seconds_ago,
  };
}
