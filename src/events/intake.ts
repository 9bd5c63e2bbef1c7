import { within } from '../deadline.ts';
import { isOfItem } from '../errors.ts';
import { type Failure, failureOf, type Result } from '../mailbox/failure.ts';
import type { StreamEvent } from '../protocol/events.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';
import type { Destination, EventLane, Received } from './delivery.ts';
import { parseEvent } from './parse.ts';
import type { EventHandler } from './source.ts';
import { backOff, pause, type Timing } from './timing.ts';

/** Decides what becomes of each event of one stream: the rules of EventSource, for either broker. */
export interface Intake {
  /** Settles the delivery. Never rejects. */
  receive(received: Received): Promise<void>;
  /**
   * A connection was cut while the thread lives on. Up to `most` events that were in hand or on their way come back as
   * redelivered; they are not suspected of a thread's death.
   */
  interrupted(lane: EventLane, most: number): void;
  /** Gives back events that are held or still arrive. */
  close(): void;
  /** Waits until nothing is in hand. */
  idle(withinMs: number): Promise<void>;
  readonly counts: { readonly inHand: number; readonly done: number; readonly retried: number; readonly dead: number };
}

interface IntakeOptions {
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
  const excused: Record<EventLane, number> = { main: 0, alone: 0 };
  const counts = { done: 0, retried: 0, dead: 0 };
  const latencies = createLatencies(stream, tell);

  const decide = async (received: Received): Promise<Destination | 'done' | 'gone'> => {
    const event = parseEvent(stream, received.body);
    if (received.redelivered && !excuse(received.lane)) return suspect(received);
    if (closing.signal.aborted) return { to: received.lane, attempts: received.attempts };
    const outcome = await handHeld(event, received);
    if (outcome === 'held') return { to: received.lane, attempts: received.attempts };
    if (outcome === 'gone') return 'gone';
    return outcome.ok ? 'done' : failed(received, outcome.failure);
  };

  const excuse = (lane: EventLane): boolean => {
    if (excused[lane] === 0) return false;
    excused[lane] -= 1;
    return true;
  };

  /** The process or thread that had the event died, perhaps of it. In the main lane it was one of many. */
  const suspect = (received: Received): Destination => {
    const attempts = received.attempts + 1;
    const again = attempts < maxAttempts && received.countable;
    if (received.lane === 'main' || again) return { to: 'alone', attempts };
    const failure = { code: 'ACTOR_TERMINATED', message: 'its thread died while it was in hand', retryable: false };
    return { to: 'dead', attempts, failure };
  };

  const failed = (received: Received, failure: Failure): Destination => {
    const attempts = received.attempts + 1;
    note(`${failure.code}: ${failure.message}`);
    if (attempts >= maxAttempts || !received.countable) return { to: 'dead', attempts, failure };
    return { to: 'retry', attempts, delayMs: timing.retryMs[attempts - 1] ?? timing.retryMs.at(-1) ?? 0 };
  };

  /** Calls the handler until its failure names the event. A prefetch window full of held events is the back-pressure. */
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
    // An event that throws here throws at every delivery: only its dead-lettering takes it out of the queue.
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

  /** Repeats until the broker stores it; until then the event stays in hand. */
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

/** How long events took from delivery to commit; reported in sets, since a message each would crowd the actor's port. */
interface Latencies {
  add(ms: number): void;
  flush(): void;
}

/** A histogram does not mind a second of delay, and the traffic is one set a second at most. */
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
