import { isOfItem } from '../../errors.ts';
import { backOff, defaultTiming } from '../../events/timing.ts';
import type { Failure, Result } from '../../mailbox/failure.ts';
import type { StreamEvent } from '../../protocol/events.ts';
import type { EventStream } from '../../protocol/scheduler.ts';
import type { Random } from '../random.ts';
import type { VirtualClock } from './clock.ts';

type Handler = (event: StreamEvent, delivery: { alone: boolean; again: boolean }) => Promise<Result<unknown>>;

interface BrokerOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** In hand of a consumer at once. */
  readonly prefetch: number;
  /** Of one event, before it is a dead letter. */
  readonly maxAttempts: number;
  /** An event was settled; a failure: it is a dead letter. */
  readonly settled: (stream: EventStream, event: StreamEvent, failure: Failure | null) => void;
}

interface Delivery {
  readonly stream: EventStream;
  readonly event: StreamEvent;
  /** How often it failed by itself. */
  attempts: number;
  /** How often it was tried again in an outage. */
  tries: number;
  again: boolean;
}

const { retryMs, holdMs } = defaultTiming;
/** Until the broker delivers again what a killed process had in hand. */
const redeliverMs = 10_000;

/** KAT's broker: at least once, in order but for what comes again; what becomes of an event is decided as in src/events/intake.ts. */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #handlers = new Map<EventStream, Handler>();
  readonly #waiting = new Map<EventStream, Delivery[]>();
  readonly #inHand = new Map<EventStream, Set<Delivery>>();
  /** Grows with each death of the consumers: what the dead ones answer is not heard. */
  #epoch = 0;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  consume(stream: EventStream, handler: Handler): void {
    this.#handlers.set(stream, handler);
    this.#serve(stream);
  }

  /** The process of the consumers was killed: what they had in hand comes again to the next ones. */
  cut(): void {
    this.#epoch += 1;
    this.#handlers.clear();
    for (const [stream, deliveries] of this.#inHand) {
      const back = [...deliveries].map((delivery) => Object.assign(delivery, { again: true }));
      deliveries.clear();
      this.#options.clock.settleAfter(redeliverMs, () => {
        this.#queueOf(stream).unshift(...back);
        this.#serve(stream);
      });
    }
  }

  publish(stream: EventStream, event: StreamEvent, delayMs: number): void {
    this.#options.clock.settleAfter(delayMs, () => {
      this.#queueOf(stream).push({ stream, event, attempts: 0, tries: 0, again: false });
      this.#serve(stream);
    });
  }

  #queueOf(stream: EventStream): Delivery[] {
    const known = this.#waiting.get(stream);
    if (known !== undefined) return known;
    const queue: Delivery[] = [];
    this.#waiting.set(stream, queue);
    this.#inHand.set(stream, new Set());
    return queue;
  }

  #serve(stream: EventStream): void {
    const handler = this.#handlers.get(stream);
    if (handler === undefined) return;
    const waiting = this.#queueOf(stream);
    const inHand = this.#inHand.get(stream)!;
    while (inHand.size < this.#options.prefetch && waiting.length > 0) this.#hand(waiting.shift()!, handler, inHand);
  }

  #hand(delivery: Delivery, handler: Handler, inHand: Set<Delivery>): void {
    const epoch = this.#epoch;
    inHand.add(delivery);
    const alone = delivery.attempts > 0;
    const handled = handler(delivery.event, { alone, again: delivery.again || alone || delivery.tries > 0 });
    const settled = handled.then((result) => {
      if (epoch !== this.#epoch) return;
      if (result.ok) this.#settle(delivery, inHand, null);
      else if (isOfItem(result.failure)) this.#fail(delivery, inHand, result.failure);
      else this.#hold(delivery, inHand);
    });
    this.#options.clock.follow(settled);
  }

  #hold(delivery: Delivery, inHand: Set<Delivery>): void {
    const { random } = this.#options;
    this.#later(
      delivery,
      backOff(holdMs, delivery.tries, () => random.next()),
      inHand,
    );
    delivery.tries += 1;
  }

  #fail(delivery: Delivery, inHand: Set<Delivery>, failure: Failure): void {
    delivery.attempts += 1;
    if (delivery.attempts >= this.#options.maxAttempts) this.#settle(delivery, inHand, failure);
    else this.#later(delivery, retryMs[delivery.attempts - 1]!, inHand);
  }

  /** It stays in hand meanwhile. */
  #later(delivery: Delivery, ms: number, inHand: Set<Delivery>): void {
    const epoch = this.#epoch;
    this.#options.clock.settleAfter(ms, () => {
      const handler = this.#handlers.get(delivery.stream);
      if (epoch === this.#epoch && handler !== undefined) this.#hand(delivery, handler, inHand);
    });
  }

  #settle(delivery: Delivery, inHand: Set<Delivery>, failure: Failure | null): void {
    inHand.delete(delivery);
    this.#options.settled(delivery.stream, delivery.event, failure);
    this.#serve(delivery.stream);
  }
}
