import type { Failure } from '../mailbox/failure.ts';

/**
 * One delivery, in words that both brokers have. There are two lanes: everything starts in the main lane, many at once;
 * what has failed, or was in hand when a thread died, goes through the `alone` lane, one at a time. So an event that
 * kills its thread over and over costs the others in hand one attempt at most.
 */
export interface Received {
  readonly lane: Lane;
  readonly body: Uint8Array;
  /** Attempts that failed, as the event itself says: brokers count outages and reconnects too. */
  readonly attempts: number;
  /** Handed out before without being settled. */
  readonly redelivered: boolean;
  readonly trace: string;
  /** Aborted when the broker has taken the event back: settling has no effect any more. */
  readonly gone: AbortSignal;
  acknowledge(): Promise<void>;
  /** Stores the event elsewhere and acknowledges this delivery once that is confirmed. */
  move(to: Destination): Promise<void>;
}

export type Lane = 'main' | 'alone';

export type Destination =
  /** The tail of a lane. */
  | { readonly to: Lane; readonly attempts: number }
  /** The alone lane, but not before `delayMs` have passed. */
  | { readonly to: 'retry'; readonly attempts: number; readonly delayMs: number }
  | { readonly to: 'dead'; readonly attempts: number; readonly failure: Failure };

/** Headers that Rota adds to an event on its way through retries; the rest of its headers stays. */
export const attemptsHeader = 'x-rota-attempts';
/** Code and message of why an event was dead-lettered. */
export const errorHeader = 'x-rota-error';
/** ISO timestamp. */
export const deadAtHeader = 'x-rota-dead-at';
/** Epoch milliseconds; JetStream only, where RabbitMQ has queues with a message TTL. */
export const notBeforeHeader = 'x-rota-not-before';
/** W3C trace context of whoever published the event. */
export const traceHeader = 'traceparent';

/** What a dead letter says about its end, short enough for any broker's header. */
export function epitaph(failure: Failure): string {
  // Header values of NATS are one line of plain characters.
  return `${failure.code}: ${failure.message}`.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 1_000);
}
