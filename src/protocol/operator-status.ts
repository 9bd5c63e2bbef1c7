import type { EventStream } from './scheduler.ts';

/** How supervisors and their parts are, as operators see them. Timestamps are ISO. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface SupervisorView {
  readonly instance: string;
  readonly version: string;
  /** The database's time: ages are told by it. */
  readonly now: string;
  readonly started_at: string;
  readonly pid: number;
  readonly rss_bytes: number;
  /** How late its main thread is, in milliseconds: of the last 10 to 20 seconds, all but the worst hundredth. */
  readonly loop_p99_ms: number;
  readonly actors: readonly ActorView[];
  readonly schedulers: readonly SchedulerView[];
  readonly sources: readonly SourceView[];
  /** Parts that did not answer, and why; their figures are null. */
  readonly unknown: readonly { readonly part: string; readonly why: string }[];
}

export interface ActorView {
  readonly name: string;
  readonly phase: string;
  /** How long it has been in it; absent of a supervisor of before. */
  readonly phase_seconds?: number;
  readonly restarts: number;
  readonly retry_at: string | null;
  readonly last_failure: { readonly code: string; readonly message: string } | null;
  /** Null where the thread is gone, or busy: it does not answer within 2 s. */
  readonly thread: ThreadView | null;
}

export interface ThreadView {
  readonly heap_bytes: number;
  readonly loop_p99_ms: number;
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
    /** Null while it is closed. */
    readonly open_since: string | null;
    readonly in_flight: number;
    readonly last_error: string | null;
  }[];
}

/** Of the database, and so the same for every supervisor: all but waiters and what goes through this supervisor. */
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
  /** Seconds since one was last handed out; null where none was within ten minutes. */
  readonly out_seconds_ago: number | null;
  /** Parked pops of this supervisor. */
  readonly waiters: number;
  /** Tasks queued and handed out through this supervisor, over ten seconds. */
  readonly in_per_second: number;
  readonly out_per_second: number;
  /** Over five minutes; null before this supervisor has run so long. */
  readonly lately: { readonly in_per_second: number; readonly out_per_second: number } | null;
}

/** What one worker has in hand of one scheduler, of the 10 000 leases that end first. */
export interface WorkerView {
  /** As it calls itself; over REST its token or address. Null for one over NATS that gives no name. */
  readonly worker: string | null;
  readonly via: 'nats' | 'rest';
  readonly scheduler: string;
  readonly holds: number;
  /** Of those, the ones of which it has said something since it got them. */
  readonly begun: number;
  /** When it got the one that it holds longest. */
  readonly oldest_at: string;
  /** When the first of its leases ends, unless it renews it. */
  readonly first_ends_at: string;
}

/** An image that is queued, or that pops asked for lately. */
export interface AskedImage {
  readonly scheduler: string;
  readonly image: string;
  /** By a pop that names it; null where none is known of. */
  readonly asked_at: string | null;
  readonly queued: number;
  readonly queued_is_least: boolean;
  readonly held: number;
  readonly oldest_seconds: number | null;
}

/** Trouble that one supervisor saw, and its end. */
export interface IncidentView {
  /** In the order of time. */
  readonly id: string;
  readonly at: string;
  /** The supervisor that saw it; of one that vanished, that one. */
  readonly instance: string;
  /** `actor boefje`, `circuit octopoes of boefje`, `events raw_file_received`, `database`, `supervisor`. */
  readonly about: string;
  readonly happened:
    | 'stopped'
    | 'started'
    | 'gave up'
    | 'opened'
    | 'closed'
    | 'lost'
    | 'connected'
    | 'away'
    | 'back'
    | 'ended'
    | 'vanished';
  readonly why: string | null;
}

/** What is queued of one organisation, boefje or image. */
export interface QueuePartView {
  readonly scheduler: string;
  readonly name: string;
  readonly queued: number;
  /** There are more: no more were counted. */
  readonly queued_is_least: boolean;
  readonly held: number;
  readonly held_is_least: boolean;
  /** Age of the oldest that may be popped, of the 1 000 that go first. */
  readonly oldest_seconds: number | null;
  /** Handed out by all supervisors over the last five minutes; null for organisations and boefjes, of which `queue-rates` tells. */
  readonly per_second: number | null;
}

/**
 * What one supervisor did for an organisation or boefje over the last ten minutes, or since its start: the sum over all supervisors is
 * the asker's. Under '' all beyond the 200 with the most tasks, together.
 */
export interface PartRate {
  readonly scheduler: string;
  readonly name: string;
  /** Handed out. */
  readonly per_second: number;
  /** Tasks that failed. */
  readonly failed: number;
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

export interface AuditView {
  readonly id: string;
  readonly at: string;
  /** Null where the caller gave no name. */
  readonly by: string | null;
  readonly command: string;
  readonly organisation: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The code of the error where it was not done. */
  readonly refused: string | null;
}
