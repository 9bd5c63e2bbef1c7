/**
 * The life of a task (docs/queue-semantics.md); the database decides what may follow what, by rota_may_follow.
 *
 * From an unfinished state any state may follow: a runner may report `completed` from dispatched, an operator may
 * cancel from anywhere. From a finished state only `queued` may, which is a retry. The same state again is fine and
 * changes nothing but `modified_at`.
 */
export const taskStatuses = ['pending', 'queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled'] as const;

export type TaskStatus = (typeof taskStatuses)[number];

/** Cancelled is finished: mula forgot it, so that a cancelled task blocked its boefje and OOI for ever (#1354, #2632). */
const finished: ReadonlySet<TaskStatus> = new Set(['completed', 'failed', 'cancelled']);

export function isFinished(status: TaskStatus): boolean {
  return finished.has(status);
}

/** Postgres' int4. */
export const priorityRange = { least: -2_147_483_648, most: 2_147_483_647 } as const;

/** A task as it is on the wire of REST and NATS, kat-contract §1. Timestamps are `YYYY-MM-DDTHH:MM:SS.ffffffZ`. */
export interface Task {
  readonly id: string;
  readonly scheduler_id: string;
  readonly schedule_id: string | null;
  readonly organisation: string;
  readonly priority: number;
  readonly status: TaskStatus;
  readonly type: string;
  readonly hash: string | null;
  readonly data: TaskData;
  readonly created_at: string;
  readonly modified_at: string;
}

/** A task handed out over NATS: who holds it and until when. Neither key ever shows over REST. */
export interface LeasedTask extends Task {
  readonly lease_id: string;
  readonly lease_until: string;
  /** How often it has been claimed, this time included. */
  readonly attempts: number;
  /** W3C trace context of the task, where the supervisor exports traces: docs/tracing.md. */
  readonly traceparent?: string;
}

/** Why an attempt did not complete, as its worker says it. Rota's own: `lease-expired`, `not-begun`, `superseded`. */
export interface TaskError {
  readonly code?: string;
  readonly message: string;
  readonly detail?: string;
}

/** Of why a task failed, in bytes: ten thousand that fail alike hold 50 MB. Longer texts are cut, so that no report of a failure is refused. */
export const errorLengths = { message: 1_024, detail: 4_096 } as const;

/** Of a code, which is a label of a metric too. */
export const errorCode = /^[A-Za-z0-9_.-]{1,64}$/;

/** How an attempt ended that did not complete. */
export const attemptOutcomes = ['failed', 'cancelled', 'expired', 'released', 'given-back'] as const;

/** The last attempt at a task, those before it, and who intervened: docs/queue-semantics.md, "History". Times are ISO. */
export interface TaskHistory {
  readonly worker: string | null;
  readonly claimed_at: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly error: TaskError | null;
  /** The last ten that did not complete, oldest first. */
  readonly attempts_before: readonly {
    readonly outcome: (typeof attemptOutcomes)[number];
    readonly worker?: string;
    readonly claimed_at?: string;
    readonly started_at?: string;
    readonly ended_at: string;
    readonly error?: Omit<TaskError, 'detail'>;
  }[];
  /** Who last cancelled, retried or released it; `rota` for a rule of its own. */
  readonly changed: {
    readonly action: 'cancel' | 'retry' | 'release' | 'fail';
    readonly by: string;
    readonly why?: string;
    readonly at: string;
  } | null;
}

/** What a task is about; its shape belongs to the task's type (src/tasks/data.ts). */
export type TaskData = Readonly<Record<string, unknown>>;

/** When something runs again. */
export interface Schedule {
  readonly id: string;
  readonly scheduler_id: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: TaskData;
  readonly enabled: boolean;
  /** Cron, UTC; null where boefje interval or grace period decide. */
  readonly schedule: string | null;
  readonly deadline_at: string | null;
  readonly created_at: string;
  readonly modified_at: string;
}

/**
 * Why a schedule is disabled. Schedules come back by themselves only for the reason they went: a person's choice stays.
 * `unknown` marks boefje schedules that were disabled before adoption, `run-on-only` those of a boefje that runs on
 * events alone, `cron-unreadable` those whose boefje has a cron that cannot run (docs/crons.md).
 */
export type DisabledReason =
  | 'person'
  | 'unknown'
  | 'boefje-gone'
  | 'boefje-disabled'
  | 'ooi-gone'
  | 'scan-level-too-low'
  | 'organisation-gone'
  /** It runs on operations and has no recurrence any more. */
  | 'run-on-only'
  /** Its cron cannot be read, or never runs. */
  | 'cron-unreadable';

/** By what a queue is looked at. */
export const queueParts = ['organisation', 'boefje', 'image'] as const;
export const scheduleStates = ['late', 'due', 'enabled', 'disabled', 'disabled-by-people', 'disabled-by-rota'] as const;
/** For operators. `late`: enabled, and its deadline is over. `due`: within the hour to come. */
export type ScheduleState = (typeof scheduleStates)[number];

export type QueuePart = (typeof queueParts)[number];

/** The queues, or subjects, on which KAT publishes the events that lead to tasks; kat-contract §4. */
export const eventStreams = ['scan_profile_mutations', 'raw_file_received'] as const;

/**
 * By how much a task of weight 1 moves its flow, for a ranker that is `fair`: what a pause held is dealt out with this
 * distance. Ranks are whole numbers, so this bounds how exact a weight is (3 gives 333, 0.1 % off), and how many tasks
 * may pass before 2^53: 9 × 10^12, which all of KAT's planned load in one organisation reaches in 13 000 years.
 */
export const fairCost = 1_000;
