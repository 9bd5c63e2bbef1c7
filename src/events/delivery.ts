import type { Failure } from '../mailbox/failure.ts';

/**
 * One delivery, in terms that both brokers have. There are two lanes: every event starts in the main lane, many at once;
 * one that has failed, or was in hand when a thread died, goes through the `alone` lane, one at a time. So an event that
 * kills its thread again and again costs the others in hand one attempt at most.
 */
export interface Received {
  readonly lane: EventLane;
  readonly body: Uint8Array;
  /** Failed attempts, from the event's header: the brokers' own counts include outages and reconnects. */
  readonly attempts: number;
  /** Delivered before and not settled. */
  readonly redelivered: boolean;
  readonly trace: string;
  /** The broker takes it with Rota's headers. One that has no room for a count of its attempts has one: it is dead when that fails. */
  readonly countable: boolean;
  /** Aborted once the broker has taken the event back: settling it has no effect then. */
  readonly gone: AbortSignal;
  acknowledge(): Promise<void>;
  /** Stores the event elsewhere and acknowledges this delivery once that is confirmed. */
  move(to: Destination): Promise<void>;
}

export type EventLane = 'main' | 'alone';

export type Destination =
  /** The tail of a lane. */
  | { readonly to: EventLane; readonly attempts: number }
  /** The alone lane, but not before `delayMs` have passed. */
  | { readonly to: 'retry'; readonly attempts: number; readonly delayMs: number }
  | { readonly to: 'dead'; readonly attempts: number; readonly failure: Failure };

/** Headers that Rota adds to an event on its way through retries; its other headers stay. */
export const attemptsHeader = 'x-rota-attempts';
/** Code and message of why an event was dead-lettered. */
export const errorHeader = 'x-rota-error';
/** ISO timestamp. */
export const deadAtHeader = 'x-rota-dead-at';
/** Epoch milliseconds; JetStream only, where RabbitMQ has queues with a message TTL. */
export const notBeforeHeader = 'x-rota-not-before';

/** The error of a dead letter, short enough for any broker's header. */
export function errorLine(failure: Failure): string {
  // Header values of NATS are one line of plain characters.
  return `${failure.code}: ${failure.message}`.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 1_000);
}
