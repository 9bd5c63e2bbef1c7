import type { FilterRequest } from '../queue/filter.ts';
import type { Page, PageRequest } from '../queue/page.ts';

/**
 * What the REST API asks of the rest of Rota, beside the TaskQueue and the TaskLists of src/queue. Rows come as JSON text from Postgres and go to the
 * wire unparsed. Timestamps are ISO 8601, UTC, with microseconds.
 */

/** Schedules as people keep them. */
export interface ScheduleBook {
  /** Newest first. */
  list(query: ScheduleQuery): Promise<Page>;
  /** JSON text; null where there is none. */
  get(id: string): Promise<string | null>;
  /** JSON text; null where a schedule with that hash exists. */
  create(schedule: NewSchedule): Promise<string | null>;
  /** JSON text; null where there is none. @throws RotaError CONFLICT where the new hash is taken. */
  patch(id: string, patch: SchedulePatch): Promise<string | null>;
  /** False where there was none. */
  delete(id: string): Promise<boolean>;
}

export interface ScheduleQuery extends PageRequest {
  readonly schedulerId?: string | undefined;
  readonly organisation?: string | undefined;
  readonly hash?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly minDeadlineAt?: Date | undefined;
  readonly maxDeadlineAt?: Date | undefined;
  readonly minCreatedAt?: Date | undefined;
  readonly maxCreatedAt?: Date | undefined;
  readonly filters?: FilterRequest | null | undefined;
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
}

export interface SchedulerEntry {
  readonly id: string;
  /** Task type (src/tasks/data.ts). */
  readonly type: string;
  readonly itemType: string;
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
