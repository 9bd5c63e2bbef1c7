import { queryByKey, type Sql, statement } from '../../postgres/pool.ts';
import type { ScheduleView, StartEstimate, StreakView, TaskView } from '../../protocol/operator-lists.ts';
import type { SchedulerView } from '../../protocol/operator-status.ts';
import type { Task, TaskHistory } from '../../tasks/task.ts';
import { type BoundedCounts, countedAtLook, type QueueSize, queueSizeOf, queueSizeStatement } from './queue-size.ts';
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

/** The time over which rates are measured: at one task a minute, five. */
const lookBackSeconds = 300;
/** At least 10 s: rates are stored every two seconds, and a shorter time would be measured wrong by more than a tenth. */
const lookBack = [lookBackSeconds, 10] as const;
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

/** Tasks handed out over the last minutes. */
interface FlowRow {
  readonly now_ms: number;
  /** Of the last one of a pop that asked for them. */
  readonly asked_ms: number | null;
  /** Null where no supervisor has counted yet. */
  readonly seconds: number | null;
  readonly tasks: number;
  /** Of the part of that time in which there surely was one to hand out. */
  readonly busy_seconds: number;
  readonly busy_tasks: number;
}

/** Of all queued tasks (image ''), or of those of one image. */
interface StartRow extends FlowRow {
  readonly image: string;
  readonly before: number;
  /** Of `tasks`, to pops without a filter. */
  readonly any_image: number;
  /** Under fair-share, where a rank is a virtual time: how fast that went lately, and how far the task's is away. */
  readonly ranks_per_second: number | null;
  readonly ranks_before: number | null;
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

function notInLine(unknown: NonNullable<StartEstimate['unknown']>): StartEstimate {
  const nothing = { among: null, before: null, before_is_least: false, per_second: null, over_seconds: null };
  return { estimated_start_at: null, unknown, image: null, ...nothing, asked_at: null };
}

/**
 * A task is reached by the workers of its image, which go through the tasks of that image, or by those without a filter, which go
 * through all: by whom it is reached first. Workers that ask by plug-in or organisation count as those of the images that they
 * got.
 */
function startOf(rows: readonly StartRow[], most: number): StartEstimate {
  const all = rows.find(({ image }) => image === '');
  // It was popped, or held, since it was looked at.
  if (all === undefined) return notInLine('not-queued');
  const own = rows.find(({ image }) => image !== '');
  const ways = [
    ...(own !== undefined && own.tasks > own.any_image ? [{ among: 'image' as const, row: own }] : []),
    ...(all.any_image > 0 || (own === undefined && all.tasks > 0) ? [{ among: 'all' as const, row: all }] : []),
  ].map((way) => ({ ...way, ...paceOf(way.row) }));
  const [first = null] = ways.toSorted((a, b) => secondsUntil(a) - secondsUntil(b));
  const { among, row, perSecond, overSeconds } = first ?? {
    among: own === undefined ? ('all' as const) : ('image' as const),
    row: own ?? all,
    perSecond: null,
    overSeconds: null,
  };
  const askedMs = Math.max(all.asked_ms ?? 0, own?.asked_ms ?? 0);
  const silent = isSilent(all.now_ms, askedMs, perSecond);
  const told = first !== null && !silent;
  return {
    estimated_start_at: told ? isoOf(all.now_ms + secondsUntil(first) * 1_000) : null,
    unknown: told ? null : silent ? 'nobody-asks' : 'none-handed-out',
    image: own?.image ?? null,
    among,
    before: row.before,
    before_is_least: row.before >= most,
    per_second: perSecond,
    over_seconds: overSeconds,
    asked_at: askedMs === 0 ? null : isoOf(askedMs),
  };
}

/**
 * Until so many are handed out, and then itself. Under fair-share other organisations' tasks come later and go before: as many as
 * lately, where virtual time goes on as it did. It is no earlier by either.
 */
function secondsUntil({ row, perSecond }: { readonly row: StartRow; readonly perSecond: number }): number {
  const byCount = (row.before + 1) / perSecond;
  const { ranks_before: ranks, ranks_per_second: ranksPerSecond } = row;
  return ranks === null || ranksPerSecond === null || ranksPerSecond <= 0
    ? byCount
    : Math.max(byCount, ranks / ranksPerSecond);
}

/** Fewer tell too little about a rate: their number varies by a third. */
const fewest = 10;

/** While there was work all the time, where that tells enough; else over the whole of the last minutes. */
function paceOf(row: FlowRow): { readonly perSecond: number; readonly overSeconds: number } {
  const [tasks, seconds] =
    row.busy_tasks >= fewest ? [row.busy_tasks, row.busy_seconds] : [row.tasks, row.seconds ?? lookBackSeconds];
  // What was handed out in the last second, on average, is not stored yet.
  const overSeconds = Math.max(1, seconds - 1);
  return { perSecond: tasks / overSeconds, overSeconds };
}

/** Workers that are busy ask again when they are done: after ten times as long as one takes between two tasks they are gone. */
function isSilent(nowMs: number, askedMs: number, perSecond: number | null): boolean {
  const longestMs = perSecond === null ? lookBackSeconds * 1_000 : Math.max(60_000, 10_000 / perSecond);
  return nowMs - askedMs > longestMs;
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

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
