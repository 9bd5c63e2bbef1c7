import type { Delivery, Message } from './message.ts';
import { type Failure, type Result, failureOf, mailboxFailure, succeeded } from './failure.ts';
import { inTrace } from './trace.ts';
import { time } from '../time-and-chance.ts';

/** A message on its way through a mailbox, with the callbacks of its sender: `accepted` at most once, then `settled` once. */
export interface Letter {
  readonly message: Message;
  readonly trace: string;
  /** A batch of its own. */
  readonly alone: boolean;
  /** Delivery.again */
  readonly again?: boolean;
  accepted(): void;
  settled(result: Result<unknown>): void;
}

export interface LaneLimits {
  /** Messages that wait for the handler. */
  readonly capacity: number;
  /** Messages handed over at once. */
  readonly batch: number;
  /** Messages that wait for a place. */
  readonly maxWaiting: number;
}

export interface LaneStatus {
  readonly kind: string;
  readonly queued: number;
  /** Not accepted yet: their senders feel back-pressure. */
  readonly waiting: number;
  readonly inHand: number;
  /** How long the oldest queued message has waited. */
  readonly oldestMs: number;
  /** How long all messages that were handed over had waited, added up. */
  readonly waitedMs: number;
  readonly done: number;
  readonly failed: number;
}

export type Handler = (batch: readonly Delivery[]) => Promise<void>;

interface LaneEvents {
  /** A batch was settled: the lane may be idle now. */
  rested(): void;
  /** A retryable error failed what was unsettled in a batch. */
  batchFailed(kind: string, failure: Failure, size: number): void;
  /** An uncaught error: the mailbox is to close. */
  crashed(error: unknown): void;
}

/** All messages of one kind: a bounded queue, the senders that wait for a place in it, and one batch in hand. */
export class Lane {
  readonly kind: string;
  readonly #handler: Handler;
  readonly #limits: LaneLimits;
  readonly #events: LaneEvents;
  readonly #queued = new Fifo<{ readonly letter: Letter; readonly since: number }>();
  readonly #waiting = new Fifo<Letter>();
  #inHand: InHand[] = [];
  #running = false;
  #closed = false;
  #waitedMs = 0;
  #done = 0;
  #failed = 0;

  constructor(kind: string, handler: Handler, limits: LaneLimits, events: LaneEvents) {
    this.kind = kind;
    this.#handler = handler;
    this.#limits = limits;
    this.#events = events;
  }

  /** Messages that are not settled. */
  get size(): number {
    return this.#queued.size + this.#waiting.size + this.#inHand.length;
  }

  get idle(): boolean {
    return this.size === 0 && !this.#running;
  }

  post(letter: Letter): void {
    if (this.#queued.size < this.#limits.capacity) this.#accept(letter);
    else if (this.#waiting.size < this.#limits.maxWaiting) this.#waiting.push(letter);
    else letter.settled({ ok: false, failure: mailboxFailure('MAILBOX_FULL', `too many '${this.kind}' wait already`) });
  }

  /** Settles everything, what is in hand too; nothing is handled any more. */
  close(failure: Failure): void {
    this.#closed = true;
    const left = [...this.#queued.clear().map((entry) => entry.letter), ...this.#waiting.clear()];
    const inHand = this.#inHand;
    this.#inHand = [];
    for (const delivery of inHand) delivery.fail(failure);
    for (const letter of left) letter.settled({ ok: false, failure });
  }

  status(now: number): LaneStatus {
    const oldest = this.#queued.peek();
    return {
      kind: this.kind,
      queued: this.#queued.size,
      waiting: this.#waiting.size,
      inHand: this.#inHand.length,
      oldestMs: oldest === undefined ? 0 : Math.round(now - oldest.since),
      waitedMs: this.#waitedMs,
      done: this.#done,
      failed: this.#failed,
    };
  }

  #accept(letter: Letter): void {
    this.#queued.push({ letter, since: time.monotonicMs() });
    letter.accepted();
    if (this.#running) return;
    this.#running = true;
    // The next turn of the event loop, not a microtask: everything the port holds now becomes one batch.
    time.setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#closed && this.#queued.size > 0) {
      this.#inHand = this.#take();
      await this.#handle(this.#inHand);
      this.#inHand = [];
      this.#events.rested();
      // Signals are answered between batches even where a handler never waits for anything.
      await new Promise<void>((resolve) => time.setImmediate(resolve));
    }
    this.#running = false;
    this.#events.rested();
  }

  async #handle(batch: readonly InHand[]): Promise<void> {
    try {
      await inTrace(batch[0]!.trace, () => this.#handler(batch));
      for (const delivery of batch) delivery.done();
    } catch (error) {
      const failure = failureOf(error);
      for (const delivery of batch) delivery.fail(failure);
      if (failure.retryable) this.#events.batchFailed(this.kind, failure, batch.length);
      else this.#events.crashed(error);
    }
  }

  /** The next batch. Its places go to the letters that waited longest. */
  #take(): InHand[] {
    const now = time.monotonicMs();
    const next = () => {
      const { letter, since } = this.#queued.shift()!;
      this.#waitedMs += now - since;
      return letter;
    };
    const letters = [next()];
    while (!letters[0]!.alone && letters.length < this.#limits.batch && this.#queued.peek()?.letter.alone === false)
      letters.push(next());
    while (this.#waiting.size > 0 && this.#queued.size < this.#limits.capacity) this.#accept(this.#waiting.shift()!);
    return letters.map((letter) => new InHand(letter, (result) => this.#count(result)));
  }

  #count(result: Result<unknown>): void {
    if (result.ok) this.#done += 1;
    else this.#failed += 1;
  }
}

class InHand implements Delivery {
  readonly #letter: Letter;
  readonly #count: (result: Result<unknown>) => void;
  #settled = false;

  constructor(letter: Letter, count: (result: Result<unknown>) => void) {
    this.#letter = letter;
    this.#count = count;
  }

  get message(): Message {
    return this.#letter.message;
  }

  get trace(): string {
    return this.#letter.trace;
  }

  get again(): boolean {
    return this.#letter.again ?? false;
  }

  done(value?: unknown): void {
    this.#settle(value === undefined ? succeeded : { ok: true, value });
  }

  fail(failure: Failure): void {
    this.#settle({ ok: false, failure });
  }

  #settle(result: Result<unknown>): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#count(result);
    this.#letter.settled(result);
  }
}

/** A queue whose `shift` costs the same at any length: Array#shift moves everything that is left. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.#head === this.#items.length) return undefined;
    this.#items[this.#head++] = undefined;
    // Halved at most once per half: amortised, one move per item.
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Empties the queue. */
  clear(): T[] {
    const items = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return items;
  }
}
