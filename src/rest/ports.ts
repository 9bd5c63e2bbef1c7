import type { FilterRequest } from '../queue/filter.ts';
import type { TaskStatus } from '../tasks/status.ts';

/**
 * What the REST API asks of the rest of Rota, beside the TaskQueue. Rows come as JSON text from Postgres and go to the
 * wire unparsed. Timestamps are ISO 8601, UTC, with microseconds.
 */

export interface TaskLists {
  /** Newest first. */
  tasks(query: TaskListQuery): Promise<Page>;
  /** `{hour: {status: n, …, total}}` of the last 24 hours, newest hour first, as JSON text. */
  stats(query: StatsQuery): Promise<string>;
}

export interface ListBounds {
  readonly offset: number;
  readonly limit: number;
  readonly filters: FilterRequest | null;
  /** Count no further than offset + this many pages + 1; null counts exactly. */
  readonly countPages: number | null;
}

export interface TaskListQuery extends ListBounds {
  readonly schedulerId?: string;
  readonly organisation?: string;
  readonly taskType?: string;
  readonly status?: TaskStatus;
  readonly minCreatedAt?: string;
  readonly maxCreatedAt?: string;
  /** A part of the task's OOI, whatever its case. */
  readonly inputOoi?: string;
  readonly pluginId?: string;
}

export interface StatsQuery {
  readonly schedulerId?: string;
  /** All where absent. */
  readonly organisations?: readonly string[];
}

export interface Page {
  readonly count: number;
  /** The count stopped at its bound: there are at least so many. */
  readonly partial: boolean;
  /** A JSON array as text. */
  readonly results: string;
}

export interface ScheduleStore {
  /** Newest first. */
  list(query: ScheduleListQuery): Promise<Page>;
  /** JSON text; null where there is none. */
  get(id: string): Promise<string | null>;
  /** JSON text; null where a schedule with that hash exists. */
  create(schedule: NewSchedule): Promise<string | null>;
  /** JSON text; null where there is none. @throws RotaError CONFLICT where the new hash is taken. */
  patch(id: string, patch: SchedulePatch): Promise<string | null>;
  /** False where there was none. */
  delete(id: string): Promise<boolean>;
}

export interface ScheduleListQuery extends ListBounds {
  readonly schedulerId?: string;
  readonly organisation?: string;
  readonly hash?: string;
  readonly enabled?: boolean;
  readonly minDeadlineAt?: string;
  readonly maxDeadlineAt?: string;
  readonly minCreatedAt?: string;
  readonly maxCreatedAt?: string;
}

export interface NewSchedule {
  readonly schedulerId: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly schedule: string | null;
  readonly deadlineAt: string;
}

/** Absent: unchanged. */
export interface SchedulePatch {
  readonly hash?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly enabled?: boolean;
  readonly schedule?: string | null;
  readonly deadlineAt?: string | null;
}

export interface Schedulers {
  /** In the order in which `/schedulers` shows them. */
  all(): readonly SchedulerEntry[];
  find(id: string): SchedulerEntry | undefined;
  activity(ids: readonly string[]): Promise<ReadonlyMap<string, SchedulerActivity>>;
}

export interface SchedulerEntry {
  readonly id: string;
  /** Task type (src/tasks/data.ts). */
  readonly type: string;
  readonly itemType: string;
}

export interface SchedulerActivity {
  readonly queued: number;
  readonly lastActivity: string | null;
}

export interface Health {
  readonly version: string;
  /** What is wrong now; empty is healthy. A source that is not configured is not unhealthy. */
  problems(): Promise<readonly Problem[]>;
  /** Whether each of KAT's services that is configured answers. */
  externals(): Promise<Readonly<Record<string, boolean>>>;
  /** Why it cannot serve (yet, or any more); empty is ready. */
  notReady(): Promise<readonly string[]>;
}

export interface Problem {
  /** `database`, `broker`, or a scheduler's id. */
  readonly part: string;
  readonly reason: string;
}

/** prom-client's Registry is one. */
export interface MetricsSource {
  metrics(): Promise<string>;
}
