import type { EffectiveValue } from '../config/config.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import type { DisabledReason, Schedule, Task, TaskHistory } from '../tasks/task.ts';
import type { ExplanationStep } from './commands.ts';
import type { PartRate, QueuePartView } from './queue-parts.ts';
import type { EventStream } from './scheduler.ts';

/** Answers of the operators' commands, `<prefix>.ctl.<command>`, as they travel. Timestamps are ISO. */
export interface OperatorAnswers {
  status: SupervisorView;
  'restart-actor': { readonly restarted: string };
  'kill-actor': { readonly killed: string };
  'log-level': { readonly actor: string; readonly level: LogLevel };
  /** `file`: path on the supervisor's machine. */
  heap: { readonly actor: string; readonly file: string };
  look: { readonly looking: readonly string[] | 'all' };
  reschedule: { readonly rescheduling: string };
  tasks: Page<ListedTask>;
  'task-details': { readonly results: readonly TaskView[] };
  'change-tasks': ChangedTasks;
  'change-selected-tasks': ChangedTasks;
  schedules: Page<ListedSchedule>;
  'schedule-details': ScheduleView;
  'enable-schedule': Schedule;
  'run-schedule': Schedule;
  'set-cron': Schedule;
  pauses: { readonly results: readonly PauseView[] };
  'queue-by': { readonly results: readonly QueuePartView[] };
  'queue-rates': { readonly results: readonly PartRate[] };
  names: { readonly results: readonly string[] };
  /** `held`: tasks that this request took out of the pops' way. `complete`: none is left. `known`: its organisation was ever seen. */
  pause: { readonly held: number; readonly complete: boolean; readonly known: boolean };
  resume: { readonly released: number; readonly complete: boolean };
  /** What it removed; tasks were cancelled. */
  purge: { readonly tasks: number; readonly schedules: number; readonly pauses: number };
  rerank: RerankProgress;
  /** Those that are not 1. */
  weights: Page<WeightView>;
  'set-weight': ChangedWeight;
  'unset-weight': ChangedWeight;
  explain: ExplanationView;
  'dead-letters': { readonly results: readonly DeadLetterView[] };
  /** Ids of the events that were there. */
  'settle-dead-letters': { readonly settled: readonly string[] };
  doctor: Examination;
  config: { readonly instance: string; readonly values: readonly EffectiveValue[] };
  drain: { readonly draining: string };
}

export type OperatorCommandName = keyof OperatorAnswers;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** `count`: of everything that was selected, not of `results`. */
export interface Page<T> {
  readonly count: number;
  readonly results: readonly T[];
}

export interface SupervisorView {
  readonly instance: string;
  readonly version: string;
  readonly started_at: string;
  readonly pid: number;
  readonly rss_bytes: number;
  readonly actors: readonly ActorView[];
  readonly schedulers: readonly SchedulerView[];
  readonly sources: readonly SourceView[];
  /** Parts that did not answer, and why; their figures are null. */
  readonly unknown: readonly { readonly part: string; readonly why: string }[];
}

export interface ActorView {
  readonly name: string;
  readonly phase: string;
  readonly restarts: number;
  readonly retry_at: string | null;
  readonly last_failure: { readonly code: string; readonly message: string } | null;
  /** Null where the thread is gone, or busy: it does not answer within 2 s. */
  readonly thread: ThreadView | null;
}

export interface ThreadView {
  readonly heap_bytes: number;
  readonly log_level: string;
  /** Over all lanes. */
  readonly mailbox: { readonly depth: number; readonly oldest_ms: number };
  /** One per kind of message. */
  readonly lanes: readonly {
    readonly kind: string;
    readonly queued: number;
    readonly waiting: number;
    readonly in_hand: number;
    readonly oldest_ms: number;
    readonly done: number;
    readonly failed: number;
  }[];
  readonly streams: readonly {
    readonly stream: string;
    readonly connected: boolean;
    readonly in_hand: number;
    readonly done: number;
    readonly retried: number;
    readonly dead_lettered: number;
    readonly last_error: string | null;
  }[];
  readonly services: readonly {
    readonly service: string;
    readonly circuit: string;
    readonly in_flight: number;
    readonly last_error: string | null;
  }[];
}

/**
 * When a queued task is handed out, if workers go on as in the last minutes and nothing is pushed that goes before it. Of all
 * supervisors.
 */
export interface StartEstimate {
  /** Null where it cannot be told. */
  readonly estimated_start_at: string | null;
  /**
   * Why it cannot: it is not queued; a pause holds it; no pop asks any more for what it is; none was handed out in the last
   * minutes.
   */
  readonly unknown: 'not-queued' | 'held' | 'nobody-asks' | 'none-handed-out' | null;
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

/** Of the database, and so the same for every supervisor: all but the last three. */
export interface SchedulerView {
  readonly id: string;
  /** Held ones included; beyond 10 000 a second old at most. */
  readonly queued: number | null;
  /** Paused. */
  readonly held: number | null;
  /** There are more than `held`: 10 000 of them and 10 000 others were counted, no more. */
  readonly held_is_least: boolean;
  readonly leased: number | null;
  /** Age of the oldest task that may be popped, of the 10 000 that go first. */
  readonly oldest_seconds: number | null;
  readonly schedule_lag_seconds: number | null;
  /** Tasks handed out by all supervisors over the last minutes; null where none was. */
  readonly per_second: number | null;
  /** When all that is queued now, and not held, is handed out at that rate. */
  readonly estimated_empty_at: string | null;
  /** When a pop last asked for any of its tasks; null where none did within a week. */
  readonly asked_at: string | null;
  /** Parked pops of this supervisor. */
  readonly waiters: number;
  /** Tasks queued and handed out through this supervisor. */
  readonly in_per_second: number;
  readonly out_per_second: number;
}

/** One event stream in the broker; figures are null where the broker does not answer. */
export interface SourceView {
  readonly source: string;
  readonly stream: EventStream;
  readonly waiting: number | null;
  readonly retrying: number | null;
  readonly dead: number | null;
  readonly error: string | null;
  /** A JetStream stream at its limits, in a sentence. */
  readonly full: string | null;
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
  /** Null where it is not queued. `ahead`: queued tasks that go before it, counted to 100 000 divided by the tasks asked for; null where a pause holds it. */
  readonly queue: { readonly held: boolean; readonly ahead: number | null } | null;
}

export type TaskAction = 'cancel' | 'retry' | 'release';

export interface ChangedTasks {
  readonly changed: number;
  readonly refused: readonly { readonly id: string; readonly code: string; readonly detail: string }[];
}

export interface ListedSchedule extends Schedule {
  /** Null where it is enabled, or its reason is not known. */
  readonly disabled_reason: DisabledReason | null;
  /** Null where its last finished task did not fail. */
  readonly streak: StreakView | null;
}

export interface ScheduleView extends ListedSchedule {
  /** Its cron is the boefje's, and goes when the boefje's goes. */
  readonly inherited: boolean;
  /** Its boefje's interval set the deadline. */
  readonly by_interval: boolean;
  /** The deadline was asked for: failures do not delay it. */
  readonly asked: boolean;
}

/** The share of an organisation: how often it is served, compared with one of weight 1. */
export interface WeightView {
  readonly scheduler: string;
  readonly organisation: string;
  readonly weight: number;
}

export interface ChangedWeight {
  readonly weight: number;
  readonly before: number;
}

/** Null is all of them. */
export interface PauseView {
  readonly scheduler: string;
  readonly organisation: string | null;
  /** Or normalizer, or report recipe. */
  readonly boefje: string | null;
  readonly paused_by: string | null;
  readonly since: string;
}

/** The run goes on at `instance`: ask that one again, with `run`, until `complete`. */
export interface RerankProgress {
  readonly instance: string;
  readonly run: string;
  /** Tasks ranked so far, and those of them whose place changed. */
  readonly looked: number;
  readonly moved: number;
  readonly complete: boolean;
}

export interface ExplanationView {
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
  /** What keeps a queued task from its worker; of a pause since when, and who paused. */
  readonly in_the_way: readonly {
    readonly what: string;
    readonly fact: string;
    readonly since?: string;
    readonly by?: string | null;
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

export interface DeadLetterView {
  readonly id: string;
  readonly stream: EventStream;
  readonly at: string | null;
  /** `CODE: message`. */
  readonly error: string | null;
  readonly attempts: number;
  /** As it came, without secrets; null for more than 700 kB over all of an answer. */
  readonly body: unknown;
  /** Set where `body` was left out. */
  readonly body_bytes?: number;
}

/** What one supervisor found about itself and what it depends on. */
export interface Examination {
  readonly instance: string;
  readonly version: string;
  /** Node's version. */
  readonly node: string;
  readonly findings: readonly Finding[];
}

/** `advice` where there is something to do. */
export interface Finding {
  readonly level: 'fine' | 'warning' | 'problem';
  readonly about: string;
  readonly finding: string;
  readonly advice: string | null;
}
