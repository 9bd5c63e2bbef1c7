import { setTimeout as sleep } from 'node:timers/promises';

/** Every pause of the event sources, in milliseconds. */
export interface Timing {
  /** Before the second, third, … attempt at one event; the last one repeats. */
  readonly retryMs: readonly number[];
  /**
   * Between tries of an event that is held in an outage: doubles from the first to the second figure. Events flow again
   * within 5 s of its end. Held events are tried in sets, so that a failure every few seconds costs nothing.
   */
  readonly holdMs: readonly [number, number];
  /** An event held longer goes to the tail of its queue: RabbitMQ closes channels that keep one for 30 minutes. */
  readonly longestHoldMs: number;
  /** Between tries to reach the broker, or to store something in it: doubles from the first to the second figure. */
  readonly reconnectMs: readonly [number, number];
  /**
   * JetStream delivers an event again after this time without a report; we report three times as often. The supervisor ends
   * a thread that is silent for 10 s: what it had in hand comes back no sooner, and soon after.
   */
  readonly ackWaitMs: number;
}

export const defaultTiming: Timing = {
  retryMs: [1_000, 10_000, 60_000],
  holdMs: [500, 4_000],
  longestHoldMs: 600_000,
  reconnectMs: [250, 10_000],
  ackWaitMs: 10_000,
};

/** The end of the process waits no longer for a broker that does not answer. */
export const closeWithinMs = 2_000;

/** The pause after `tries` failed tries; half of it is random, so that many clients do not come back at once. */
export function backOff([first, longest]: readonly [number, number], tries: number, random = Math.random): number {
  const full = Math.min(first * 2 ** Math.min(tries, 30), longest);
  return full / 2 + (random() * full) / 2;
}

/** Waits, at most until one of the signals is aborted. */
export async function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  await sleep(ms, undefined, { signal: AbortSignal.any([...signals]) }).catch(() => {});
}
