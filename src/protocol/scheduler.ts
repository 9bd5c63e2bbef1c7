import type { Delivery, Message } from '../mailbox/message.ts';
import type { KatServices } from '../kat/kat.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import type { AskSupervisor } from './requests.ts';

/**
 * What `actors/<name>/behavior.ts` exports as default: everything the house needs to know about a scheduler. The folder's
 * name is the scheduler's id. A folder without this export fails at boot with its path.
 */
export interface SchedulerDefinition<M extends Message = Message> {
  /** Task type (src/tasks/data.ts), and what `/schedulers` shows. */
  readonly type: string;
  readonly itemType: string;
  /** Ranker of actors/rankers, unless SCHEDULER_<NAME>_RANKER says otherwise. */
  readonly ranker: string;
  /** Event streams whose messages land in the mailbox: RabbitMQ queues, or JetStream subjects of the same names. */
  readonly streams: readonly EventStream[];
  /** Messages that the house sends by the clock: the next one `everyMs` after the last was settled. */
  readonly clocks: readonly Clock<M>[];
  /** Builds the behavior. Called once, in the scheduler's own thread. */
  start(setup: Setup): Behavior<M>;
}

export type EventStream = 'scan_profile_mutations' | 'raw_file_received';

export interface Clock<M extends Message> {
  readonly message: M;
  readonly everyMs: number;
}

/**
 * One handler per kind of message. Each kind is a lane of its own: within a lane one batch at a time, in order; lanes do
 * not wait for each other, so that an outage behind one kind of message does not hold up another. A handler gets
 * everything that waited, up to a bound. An error with `retryable: true` fails the batch's unsettled deliveries; any
 * other error kills the actor, and only it (docs/runtime-semantics.md).
 */
export type Behavior<M extends Message> = {
  readonly [K in M['kind']]: (batch: readonly Delivery<Extract<M, { kind: K }>>[]) => Promise<void>;
};

/** What a behavior may use. Everything that does I/O, tells the time or rolls dice comes through here. */
export interface Setup {
  readonly scheduler: string;
  readonly settings: SchedulerSettings;
  readonly supervisor: AskSupervisor;
  readonly kat: KatServices;
  /** Epoch milliseconds, by the database's clock: what is due by it is due here, on whichever machine. */
  now(): number;
  /** [0, 1). */
  random(): number;
  readonly log: Log;
  /** Aborts when the drain begins: a handler that goes through many pages or batches ends after the one in hand. */
  readonly stopping: AbortSignal;
  /** Counts and logs (debug) a declined task. */
  refuse(reason: RefusalReason, about: Readonly<Record<string, string | null>>): void;
}

export interface SchedulerSettings {
  readonly gracePeriodSeconds: number;
  /** Upper bound of the random delay on top of the grace period; mula: 0–5 hours. */
  readonly jitterSeconds: number;
}

export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
