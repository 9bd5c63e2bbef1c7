import { within } from '../deadline.ts';
import { isOfItem } from '../errors.ts';
import { type Failure, failureOf, type Result } from '../mailbox/failure.ts';
import type { StreamEvent } from '../protocol/events.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';
import type { Destination, Lane, Received } from './delivery.ts';
import { parseEvent } from './parse.ts';
import type { EventHandler } from './source.ts';
import { backOff, pause, type Timing } from './timing.ts';

/** Decides what becomes of each event of one stream: the rules of EventSource, whatever the broker. */
export interface Intake {
  /** Settles the delivery. Never rejects. */
  receive(received: Received): Promise<void>;
  /**
   * A connection was cut under a living thread: what it had in hand, or on the way to it, comes back as redelivered, up to
   * `most` events, and is nobody's death.
   */
  interrupted(lane: Lane, most: number): void;
  /** Gives back what is held and what still arrives. */
  close(): void;
  /** Waits until nothing is in hand. */
  idle(withinMs: number): Promise<void>;
  readonly counts: { readonly inHand: number; readonly done: number; readonly retried: number; readonly dead: number };
}

export interface IntakeOptions {
  readonly stream: EventStream;
  readonly handler: EventHandler;
  readonly maxAttempts: number;
  readonly timing: Timing;
  readonly tell: (event: RotaEvent) => void;
  /** An error that an operator should see beside the stream. */
  readonly note: (message: string) => void;
}

export function createIntake(options: IntakeOptions): Intake {
  const { stream, handler, maxAttempts, timing, tell, note } = options;
  const closing = new AbortController();
  const inHand = new Set<Promise<void>>();
  const excused: Record<Lane, number> = { main: 0, alone: 0 };
  const counts = { done: 0, retried: 0, dead: 0 };
  const latencies = createLatencies(stream, tell);

  const decide = async (received: Received): Promise<Destination | 'done' | 'gone'> => {
    const event = parseEvent(stream, received.body);
    if (received.redelivered && !excuse(received.lane)) return suspect(received);
    if (closing.signal.aborted) return { to: received.lane, attempts: received.attempts };
    const outcome = await handHeld(event, received);
    if (outcome === 'held') return { to: received.lane, attempts: received.attempts };
    if (outcome === 'gone') return 'gone';
    return outcome.ok ? 'done' : failed(received.attempts + 1, outcome.failure);
  };

  const excuse = (lane: Lane): boolean => {
    if (excused[lane] === 0) return false;
    excused[lane] -= 1;
    return true;
  };

  /** Whoever had it died, or its own thread did: perhaps of this event. In the main lane it was one of many. */
  const suspect = (received: Received): Destination => {
    const attempts = received.attempts + 1;
    if (received.lane === 'main' || attempts < maxAttempts) return { to: 'alone', attempts };
    const failure = { code: 'ACTOR_TERMINATED', message: 'its thread died while it was in hand', retryable: false };
    return { to: 'dead', attempts, failure };
  };

  const failed = (attempts: number, failure: Failure): Destination => {
    note(`${failure.code}: ${failure.message}`);
    if (attempts >= maxAttempts) return { to: 'dead', attempts, failure };
    return { to: 'retry', attempts, delayMs: timing.retryMs[attempts - 1] ?? timing.retryMs.at(-1) ?? 0 };
  };

  /** Calls the handler again and again while its failures do not name the event; a window full of held events is back-pressure. */
  const handHeld = async (event: StreamEvent, received: Received): Promise<Result<unknown> | 'held' | 'gone'> => {
    const until = performance.now() + timing.longestHoldMs;
    const alone = received.lane === 'alone' || received.attempts > 0;
    for (let tries = 0; ; tries += 1) {
      const delivery = { alone, again: alone || received.redelivered || tries > 0, trace: received.trace };
      const result = await handler(event, delivery).catch((error: unknown) => {
        const failure: Result<never> = { ok: false, failure: failureOf(error) };
        return failure;
      });
      if (result.ok || isOfItem(result.failure)) return result;
      note(`${result.failure.code}: ${result.failure.message}`);
      if (performance.now() < until) await pause(backOff(timing.holdMs, tries), received.gone, closing.signal);
      if (received.gone.aborted) return 'gone';
      if (closing.signal.aborted || performance.now() >= until) return 'held';
    }
  };

  const settle = async (received: Received): Promise<void> => {
    const from = performance.now();
    // What throws here throws each time it is delivered: nothing else would take the event out of the queue.
    const outcome = await decide(received).catch((error: unknown): Destination => {
      return { to: 'dead', attempts: received.attempts, failure: failureOf(error) };
    });
    if (outcome === 'gone') return;
    const settled = await persist(received, () =>
      outcome === 'done' ? received.acknowledge() : received.move(outcome),
    );
    if (!settled) return;
    if (outcome === 'done') {
      counts.done += 1;
      latencies.add(performance.now() - from);
    } else if (outcome.to === 'retry') counts.retried += 1;
    else if (outcome.to === 'dead') {
      counts.dead += 1;
      const { code, message } = outcome.failure;
      tell({ name: 'event.dead-lettered', stream, code, message });
    }
  };

  /** A broker that cannot store now will do so later; until then the event stays in hand. */
  const persist = async (received: Received, action: () => Promise<void>): Promise<boolean> => {
    for (let tries = 0; !received.gone.aborted; tries += 1) {
      try {
        await action();
        return true;
      } catch (error) {
        note((error as Error).message);
        await pause(backOff(timing.reconnectMs, tries), received.gone);
      }
    }
    return false;
  };

  return {
    receive: async (received) => {
      const settling = settle(received);
      inHand.add(settling);
      await settling;
      inHand.delete(settling);
    },
    interrupted: (lane, most) => {
      excused[lane] = most;
    },
    close: () => closing.abort(),
    idle: async (withinMs) => {
      const emptied = async () => {
        while (inHand.size > 0) await Promise.all(inHand);
      };
      await within(emptied(), withinMs).catch(() => {});
      latencies.flush();
    },
    get counts() {
      return { inHand: inHand.size, ...counts };
    },
  };
}

/** How long events took from delivery to commit: told in sets, since one message each would crowd the actor's port. */
interface Latencies {
  add(ms: number): void;
  flush(): void;
}

/** A second of delay is nothing to a histogram, and bounds the traffic to one set a second. */
const everyMs = 1_000;

function createLatencies(stream: EventStream, tell: (event: RotaEvent) => void): Latencies {
  let seconds: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (seconds.length === 0) return;
    tell({ name: 'events.committed', stream, seconds });
    seconds = [];
  };
  return {
    add(ms) {
      seconds.push(ms / 1_000);
      timer ??= setTimeout(flush, everyMs).unref();
    },
    flush,
  };
}
