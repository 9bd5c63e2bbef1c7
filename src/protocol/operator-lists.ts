import type { RefusalReason } from '../tasks/refusal.ts';
import type { DisabledReason, Schedule, Task, TaskHistory, TaskStatus } from '../tasks/task.ts';
import type { ExplanationStep } from './commands.ts';

/** Tasks and schedules, as operators see them. Timestamps are ISO. */

/** `count`: of everything that was selected, not of `results`. */
export interface Page<T> {
  readonly count: number;
  readonly results: readonly T[];
}

/** Part of a list, of which no request reads more than a bounded number of rows. */
export interface ListPage<T> {
  /** Of everything that was selected, not of `results`; of a search, of the rows that it looked at. */
  readonly count: number;
  /** There may be more: counting stops at 10 000, and a search where it stops looking. */
  readonly count_is_least: boolean;
  readonly results: readonly T[];
  /** Where the next part begins: of tasks as `before`, of schedules as `after`. Null at the end. */
  readonly next: string | null;
  /**
   * How far a search has looked: up to this moment the answer has all that match. Null at the end of the list, and where an index
   * knows what matches.
   */
  readonly searched_to: string | null;
  /** Rows that a search looked at for this answer; null for no search. */
  readonly looked_at: number | null;
  /** When, by the database's clock: what is made later is not in this list. */
  readonly at: string;
}

/**
 * When a queued task is handed out, if workers go on as in the last minutes and nothing is pushed that goes before it. Of all
 * supervisors.
 */
export interface StartEstimate {
  /** Null where it cannot be told. */
  readonly estimated_start_at: string | null;
  /**
   * Why it cannot: it is not queued; a pause holds it; a limit does, whose pace is not known; no pop asks any more for what it is; none was handed out in the last
   * minutes.
   */
  readonly unknown: 'not-queued' | 'held' | 'limited' | 'nobody-asks' | 'none-handed-out' | null;
  readonly image: string | null;
  /** The tasks that go before it, of its image alone or of all; which of them decides when it starts. Null where it is not in line. */
  readonly among: 'image' | 'all' | null;
  readonly before: number | null;
  /** There are more than `before`: it starts later than estimated. */
  readonly before_is_least: boolean;
  /** At which those were handed out over `over_seconds` until now. */
  readonly per_second: number | null;
  readonly over_seconds: number | null;
  /** When a pop last asked for its image, or for any; null where none did within a week. */
  readonly asked_at: string | null;
}

/** The failures in a row of a boefje on an OOI, or of what a task or schedule is about. */
export interface StreakView {
  readonly failures: number;
  /** There may be more: no more tasks were read. */
  readonly bounded: boolean;
  /** When the first of them ended. */
  readonly since: string;
}

export interface ListedTask extends Task {
  /** Null where the last finished task of its hash did not fail. */
  readonly streak: StreakView | null;
}

/** A task, and what only operators see of it. */
export interface TaskView extends ListedTask, TaskHistory {
  /** Why it ended as it did (`superseded`, `lease-expired`, …). */
  readonly reason: string | null;
  /** Claims so far that count. */
  readonly attempts: number;
  /** Claims whose worker never reported, since the last retry. */
  readonly unbegun: number;
  readonly lease: {
    readonly id: string;
    readonly worker: string | null;
    readonly via: 'nats' | 'rest';
    readonly until: string;
    /** Its worker has reported. */
    readonly begun: boolean;
  } | null;
  /**
   * Null where it is not queued. `limit`: the limit or window that holds it, null where a pause does. `ahead`: queued tasks that go before it, null where it is held; `ahead_is_least`: there are
   * more, of which 10 000 divided by the tasks asked for were counted.
   */
  readonly queue: {
    readonly held: boolean;
    readonly limit: string | null;
    readonly ahead: number | null;
    readonly ahead_is_least: boolean;
  } | null;
}

export type TaskAction = 'cancel' | 'retry' | 'release';

export interface ChangedTasks {
  readonly changed: number;
  readonly refused: readonly { readonly id: string; readonly code: string; readonly detail: string }[];
}

/** What one request of a bulk job did. */
export interface ChangedSelection extends ChangedTasks {
  /** Where the selection goes on, refused tasks stepped over: `before` of the next request. Null at its end. */
  readonly next: string | null;
  /** Tasks made later are not part of the selection: `made_until` of the next request. */
  readonly made_until: string;
}

export interface ListedSchedule extends Schedule {
  /** Null where it is enabled, or its reason is not known. */
  readonly disabled_reason: DisabledReason | null;
  /** Null where its last finished task did not fail. */
  readonly streak: StreakView | null;
  /** Its cron is the boefje's, and goes when the boefje's goes. */
  readonly inherited: boolean;
  /** Its boefje's interval set the deadline. */
  readonly by_interval: boolean;
  /** Its latest task, and when that changed last; null without any. */
  readonly last: { readonly id: string; readonly status: TaskStatus; readonly at: string } | null;
}

export interface ScheduleView extends ListedSchedule {
  /** The deadline was asked for: failures do not delay it. */
  readonly asked: boolean;
}

export interface ExplanationView {
  /** When, by the database's clock: a decision is of a moment. */
  readonly asked_at: string;
  readonly scheduler: string;
  readonly organisation: string;
  /** Null for a raw file without a named normalizer. */
  readonly hash: string | null;
  /** As if an event about the OOI had come, or as if the schedule were due. */
  readonly trigger: 'event' | 'schedule';
  readonly verdict: 'would-run' | 'refused' | 'unknown';
  /** Of the first step that refuses; null also for a raw file that only deschedules. */
  readonly reason: RefusalReason | null;
  readonly steps: readonly ExplanationStep[];
  /**
   * What keeps a queued task from its worker. A pause: since when, who paused, of which organisation and boefje (null: all). A worker
   * that has it (`worker`), or whose lease has ended (`lease`): its name in `by`, and until when. The queue before it: `queue`.
   */
  readonly in_the_way: readonly {
    readonly what: 'pause' | 'limit' | 'window' | 'queue' | 'worker' | 'lease';
    readonly fact: string;
    readonly since?: string;
    readonly by?: string | null;
    readonly note?: string | null;
    readonly organisation?: string | null;
    readonly boefje?: string | null;
    readonly until?: string;
  }[];
  /** Of the task, where it is queued. */
  readonly start: StartEstimate | null;
  /** The latest one of its hash. */
  readonly task: Pick<TaskView, 'id' | 'status' | 'reason' | 'attempts' | 'created_at' | 'modified_at'> | null;
  readonly schedule: Pick<
    ScheduleView,
    'id' | 'enabled' | 'disabled_reason' | 'schedule' | 'inherited' | 'deadline_at'
  > | null;
  /** The deadline of its schedule; null where none will come. */
  readonly next_run_at: string | null;
  /** The deadline that a run now would set. */
  readonly then_again_at: string | null;
}
