import type { MessagePort } from 'node:worker_threads';
import type { Message, FromActor, ToActor } from './message.ts';
import { type Failure, FailureError, type Result, failureOf, mailboxFailure, succeeded } from './failure.ts';
import { currentTrace } from './trace.ts';
import { time, type Timer } from '../time-and-chance.ts';

/** How an ask ends. */
export type Outcome<T> =
  | { readonly outcome: 'reply'; readonly result: Result<T> }
  | { readonly outcome: 'timeout' }
  | { readonly outcome: 'terminated' };

export interface RefOptions {
  /** Messages of one lane on the port that the mailbox has not accepted yet. */
  readonly window?: number;
  /** Messages of one lane that wait here for a credit. */
  readonly maxWaiting?: number;
}

type Sent = Exclude<ToActor, { kind: 'stop' }>;

interface PendingAsk {
  readonly envelope: Sent;
  readonly settle: (outcome: Outcome<unknown>) => void;
}

/** The sender's half of a lane: credits left, and what waits for one in the order it was sent. */
interface Credit {
  free: number;
  readonly waiting: Set<PendingAsk>;
}

/**
 * An actor as seen from another thread: the sender's end of a mailbox port. Nothing here rejects or waits for ever:
 * everything pending is settled as terminated when the port closes, which it does however the thread ends.
 */
export class ActorRef<M extends Message = Message> {
  /** Resolves when the port has closed. */
  readonly closed: Promise<void>;
  readonly #port: MessagePort;
  readonly #window: number;
  readonly #maxWaiting: number;
  readonly #pending = new Map<number, PendingAsk>();
  readonly #credits = new Map<string, Credit>();
  #lastId = 0;
  #open = true;
  #late = 0;

  constructor(port: MessagePort, { window = 64, maxWaiting = 10_000 }: RefOptions = {}) {
    this.#port = port;
    this.#window = window;
    this.#maxWaiting = maxWaiting;
    port.on('message', (envelope: FromActor) => this.#hear(envelope));
    this.closed = new Promise((resolve) => {
      port.once('close', () => {
        this.#terminate();
        resolve();
      });
    });
  }

  /** Resolves when the mailbox has accepted the message, or with why it has not. */
  async tell(message: M, trace: string = currentTrace()): Promise<Result<undefined>> {
    const outcome = await this.#post((id) => ({ kind: 'tell', id, message, trace }));
    if (outcome.outcome !== 'reply') return { ok: false, failure: terminated() };
    return outcome.result.ok ? succeeded : outcome.result;
  }

  ask<T>(message: M, options: { withinMs: number; trace?: string }): Promise<Outcome<T>> {
    const trace = options.trace ?? currentTrace();
    return this.#post((id) => ({ kind: 'ask', id, message, trace }), options.withinMs) as Promise<Outcome<T>>;
  }

  /** `reply` as soon as the thread's event loop turns. */
  ping(withinMs: number): Promise<Outcome<unknown>> {
    return this.#post((id) => ({ kind: 'ping', id }), withinMs);
  }

  /** The reply is how many messages were left; `graceMs` on top is for the answer's own way. */
  drain(withinMs: number, graceMs = 1_000): Promise<Outcome<number>> {
    return this.#post((id) => ({ kind: 'drain', id, withinMs }), withinMs + graceMs) as Promise<Outcome<number>>;
  }

  stop(): void {
    if (this.#open) this.#port.postMessage({ kind: 'stop' } satisfies ToActor);
  }

  close(): void {
    this.#terminate();
    this.#port.close();
  }

  status(): { readonly pending: number; readonly lateReplies: number } {
    return { pending: this.#pending.size, lateReplies: this.#late };
  }

  #post(build: (id: number) => Sent, withinMs?: number): Promise<Outcome<unknown>> {
    if (!this.#open) return Promise.resolve({ outcome: 'terminated' });
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      let timer: Timer | undefined;
      const pending: PendingAsk = {
        envelope: build(id),
        settle: (outcome) => {
          time.clearTimeout(timer);
          this.#forget(pending);
          resolve(outcome);
        },
      };
      if (withinMs !== undefined) timer = time.setTimeout(() => pending.settle({ outcome: 'timeout' }), withinMs);
      this.#pending.set(id, pending);
      this.#admit(pending);
    });
  }

  #admit(pending: PendingAsk): void {
    const lane = laneOf(pending.envelope);
    if (lane === null) return this.#send(pending);
    const credit = this.#credit(lane);
    if (credit.free > 0) {
      credit.free -= 1;
      this.#send(pending);
    } else if (credit.waiting.size < this.#maxWaiting) credit.waiting.add(pending);
    else pending.settle(refused(mailboxFailure('MAILBOX_FULL', `too many '${lane}' wait for the actor already`)));
  }

  #send(pending: PendingAsk): void {
    try {
      this.#port.postMessage(pending.envelope);
    } catch (error) {
      const lane = laneOf(pending.envelope);
      if (lane !== null) this.#giveBack(lane);
      pending.settle(refused(mailboxFailure('BROKEN', `'${lane}' is not plain data: ${failureOf(error).message}`)));
    }
  }

  #hear(envelope: FromActor): void {
    if (envelope.kind !== 'replied') this.#giveBack(envelope.lane);
    const pending = this.#pending.get(envelope.id);
    if (pending === undefined) {
      if (envelope.kind === 'replied') this.#late += 1;
    } else if (envelope.kind === 'refused') pending.settle(outcomeOf({ ok: false, failure: envelope.failure }));
    else if (envelope.kind === 'replied') pending.settle(outcomeOf(envelope.result));
    else if (pending.envelope.kind === 'tell') pending.settle({ outcome: 'reply', result: succeeded });
  }

  #giveBack(lane: string): void {
    const credit = this.#credit(lane);
    const [next] = credit.waiting;
    if (next === undefined) credit.free += 1;
    else {
      credit.waiting.delete(next);
      this.#send(next);
    }
  }

  #credit(lane: string): Credit {
    let credit = this.#credits.get(lane);
    if (credit === undefined) this.#credits.set(lane, (credit = { free: this.#window, waiting: new Set() }));
    return credit;
  }

  #forget(pending: PendingAsk): void {
    this.#pending.delete(pending.envelope.id);
    const lane = laneOf(pending.envelope);
    if (lane !== null) this.#credit(lane).waiting.delete(pending);
  }

  #terminate(): void {
    this.#open = false;
    for (const pending of this.#pending.values()) pending.settle({ outcome: 'terminated' });
  }
}

/** The value of a reply. @throws FailureError with the failure's code, ASK_TIMEOUT or ACTOR_TERMINATED. */
export function valueOf<T>(outcome: Outcome<T>, what: string): T {
  if (outcome.outcome === 'timeout')
    throw new FailureError(mailboxFailure('ASK_TIMEOUT', `no answer to ${what} in time`));
  if (outcome.outcome === 'terminated') throw new FailureError(terminated());
  if (!outcome.result.ok) throw new FailureError(outcome.result.failure);
  return outcome.result.value;
}

function laneOf(envelope: Sent): string | null {
  return envelope.kind === 'tell' || envelope.kind === 'ask' ? envelope.message.kind : null;
}

function terminated(): Failure {
  return mailboxFailure('ACTOR_TERMINATED', 'the actor has ended');
}

function refused(failure: Failure): Outcome<never> {
  return { outcome: 'reply', result: { ok: false, failure } };
}

/** A mailbox that closed says so with a code; the sender sees the same outcome as when the thread is gone. */
function outcomeOf(result: Result<unknown>): Outcome<unknown> {
  if (!result.ok && result.failure.code === 'ACTOR_TERMINATED') return { outcome: 'terminated' };
  return { outcome: 'reply', result };
}
