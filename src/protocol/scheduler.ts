import type { Delivery, Message } from '../mailbox/message.ts';
import type { KatServices } from '../kat/kat.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import type { eventStreams } from '../tasks/task.ts';
import type { AskSupervisor } from './requests.ts';

/**
 * Default export of `actors/<name>/behavior.ts`: all that Rota knows about a scheduler. The folder's name is its id. A
 * folder without this export fails at boot with its path.
 */
export interface SchedulerDefinition<M extends Message = Message> {
  /** Task type (src/tasks/data.ts), and what `/schedulers` shows. */
  readonly type: string;
  readonly itemType: string;
  /** Ranker of actors/rankers, unless SCHEDULER_<NAME>_RANKER says otherwise. */
  readonly ranker: string;
  /** Event streams whose messages land in the mailbox: RabbitMQ queues, or JetStream subjects of the same names. */
  readonly streams: readonly EventStream[];
  /** Messages sent by the clock: the next one `everyMs` after the last was settled. */
  readonly clocks: readonly Clock<M>[];
  /** Builds the behavior. Called once, in the scheduler's own thread. */
  start(setup: Setup): Behavior<M>;
}

export type EventStream = (typeof eventStreams)[number];

interface Clock<M extends Message> {
  readonly message: M;
  readonly everyMs: number;
}

/**
 * One handler per kind of message. Each kind has a lane of its own: within a lane one batch at a time, in order; lanes do
 * not wait for each other, so that an outage behind one kind of message does not delay another. A handler gets all waiting
 * messages, up to a bound. An error with `retryable: true` fails the batch's unsettled deliveries; any other error kills
 * the actor, and only it (docs/runtime-semantics.md).
 */
export type Behavior<M extends Message> = {
  readonly [K in M['kind']]: (batch: readonly Delivery<Extract<M, { kind: K }>>[]) => Promise<void>;
};

/** What a behavior may use. All I/O, time and randomness comes through here. */
export interface Setup {
  readonly scheduler: string;
  readonly settings: SchedulerSettings;
  readonly supervisor: AskSupervisor;
  readonly kat: KatServices;
  /** Epoch milliseconds by the database's clock, the same on every machine. */
  now(): number;
  /** [0, 1). */
  random(): number;
  readonly log: Log;
  /** Aborts when the drain begins: a handler with many pages or batches ends after the current one. */
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
