import type { MessagePort } from 'node:worker_threads';
import { type Failure, failureOf, mailboxFailure, type Result, succeeded } from './failure.ts';
import { type Handler, Lane, type LaneLimits, type LaneStatus, type Letter } from './lane.ts';
import type { Delivery, FromActor, Message, ToActor } from './message.ts';
import { currentTrace } from './trace.ts';
import { time, type Timer } from '../time-and-chance.ts';

/** One handler per kind of message: the shape of a behavior (src/protocol/scheduler.ts). */
export type Handlers<M extends Message> = {
  readonly [K in M['kind']]: (batch: readonly Delivery<Extract<M, { kind: K }>>[]) => Promise<void>;
};

/**
 * A handler of questions that only read. Each is answered by itself, and its failure is its answer: none ends the actor. One whose
 * asker waits no longer is not worked on: it would be late itself, and make the next one late.
 *
 * @param now epoch milliseconds by the clock of `until`
 */
export function answerEach<M extends Message & { readonly until: number }>(
  now: () => number,
  answer: (question: M) => Promise<unknown>,
): (batch: readonly Delivery<M>[]) => Promise<void> {
  return async (batch) => {
    for (const delivery of batch) {
      try {
        const { message } = delivery;
        if (now() < message.until) delivery.done(await answer(message));
        else delivery.fail(mailboxFailure('ASK_TIMEOUT', `'${message.kind}' came too late to be answered`));
      } catch (error) {
        delivery.fail({ ...failureOf(error), retryable: false });
      }
    }
  };
}

export interface MailboxOptions extends Partial<LaneLimits> {
  /** Called with the error that no handler caught, after the mailbox has closed. */
  readonly crashed: (error: unknown) => void;
  /** Called for batches that failed with a retryable error. */
  readonly batchFailed?: (kind: string, failure: Failure, size: number) => void;
}

// 256 × a few hundred bytes: one SQL statement or HTTP call carries that without strain.
const defaults: LaneLimits = { capacity: 1_000, batch: 256, maxWaiting: 10_000 };

/**
 * The bounded inbound queue of an actor, one lane per kind of message; docs/runtime-semantics.md. Senders in this thread
 * (event streams, clocks) post directly, senders elsewhere through a port.
 */
export class Mailbox<M extends Message = Message> {
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #rested = new Set<() => void>();
  /** Why new messages are refused. */
  #refusal: Failure | null = null;
  #closed = false;

  constructor(handlers: Handlers<M>, options: MailboxOptions) {
    const limits: LaneLimits = {
      capacity: options.capacity ?? defaults.capacity,
      batch: options.batch ?? defaults.batch,
      maxWaiting: options.maxWaiting ?? defaults.maxWaiting,
    };
    const events = {
      rested: () => this.#rested.forEach((check) => check()),
      batchFailed: (kind: string, failure: Failure, size: number) => options.batchFailed?.(kind, failure, size),
      crashed: (error: unknown) => {
        this.close(mailboxFailure('ACTOR_TERMINATED', 'the actor failed while the message waited'));
        options.crashed(error);
      },
    };
    this.#lanes = new Map(
      Object.entries<unknown>(handlers).map(([kind, handler]) => [
        kind,
        new Lane(kind, handler as Handler, limits, events),
      ]),
    );
  }

  /** Never throws: the letter's own callbacks get the outcome. */
  post(letter: Letter): void {
    const lane = this.#lanes.get(letter.message.kind);
    if (this.#refusal !== null) letter.settled({ ok: false, failure: this.#refusal });
    else if (lane === undefined) letter.settled({ ok: false, failure: unknownMessage(letter.message) });
    else lane.post(letter);
  }

  /** Resolves when accepted, or with why not. For senders in this thread. */
  tell(message: M): Promise<Result<undefined>> {
    return new Promise((resolve) => {
      this.post({
        message,
        trace: currentTrace(),
        alone: false,
        accepted: () => resolve(succeeded),
        settled: (result) => resolve(result.ok ? succeeded : result),
      });
    });
  }

  /** Resolves when settled. For senders in this thread, which die with it: no deadline. */
  ask(message: M, options: { trace?: string; alone?: boolean; again?: boolean } = {}): Promise<Result<unknown>> {
    return new Promise((settled) => {
      this.post({
        message,
        trace: options.trace ?? currentTrace(),
        alone: options.alone ?? false,
        again: options.again ?? false,
        accepted: () => undefined,
        settled,
      });
    });
  }

  /** Refuses new messages; resolves when every lane is empty, or after `withinMs`, with how many were left unsettled. */
  async drain(withinMs: number): Promise<number> {
    this.#refusal ??= mailboxFailure('DRAINING', 'the actor is draining');
    await this.#untilIdle(withinMs);
    return this.#size();
  }

  /** Refuses new messages and settles all others with `failure`. */
  close(failure: Failure = mailboxFailure('ACTOR_TERMINATED', 'the actor has stopped')): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#refusal = failure;
    for (const lane of this.#lanes.values()) lane.close(failure);
    this.#rested.forEach((check) => check());
  }

  status(): readonly LaneStatus[] {
    const now = time.monotonicMs();
    return [...this.#lanes.values()].map((lane) => lane.status(now));
  }

  #size(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.size, 0);
  }

  #untilIdle(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        time.clearTimeout(timer);
        this.#rested.delete(check);
        resolve();
      };
      const check = () => {
        if (this.#closed || [...this.#lanes.values()].every((lane) => lane.idle)) finish();
      };
      const timer = time.setTimeout(finish, withinMs);
      this.#rested.add(check);
      check();
    });
  }
}

function unknownMessage(message: Message): Failure {
  return mailboxFailure('UNKNOWN_MESSAGE', `no handler for messages of kind '${message.kind}'`);
}

/**
 * Posts `message` now, and again `everyMs` after the last one was settled: ticks never pile up behind a slow handler.
 *
 * @returns what stops it.
 */
export function startClock<M extends Message>(mailbox: Mailbox<M>, message: M, everyMs: number): () => void {
  let stopped = false;
  let timer: Timer | undefined;
  const tick = async () => {
    await mailbox.ask(message);
    if (!stopped) timer = time.setTimeout(() => void tick(), everyMs);
  };
  void tick();
  return () => {
    stopped = true;
    time.clearTimeout(timer);
  };
}

/** What drain and stop do; `receive` answers pings itself. */
interface Signals {
  /** Stops what feeds the mailbox and empties it; resolves with how many messages were left. */
  drain(withinMs: number): Promise<number>;
  stop(): void;
}

/**
 * Serves a mailbox to one sender at the other end of `port`. Signals are answered here, between the handlers' awaits:
 * only a loop that spins leaves them unanswered. Ends with the port.
 */
export function receive(port: MessagePort, mailbox: Mailbox, signals: Signals): void {
  const send = (envelope: FromActor) => port.postMessage(envelope);
  const handlers: { [K in ToActor['kind']]: (envelope: Extract<ToActor, { kind: K }>) => void } = {
    tell: (envelope) => mailbox.post(letterOf(envelope, send)),
    ask: (envelope) => mailbox.post(letterOf(envelope, send)),
    ping: ({ id }) => send({ kind: 'replied', id, result: succeeded }),
    drain: ({ id, withinMs }) =>
      void signals.drain(withinMs).then(
        (left) => send({ kind: 'replied', id, result: { ok: true, value: left } }),
        (error: unknown) => send({ kind: 'replied', id, result: { ok: false, failure: failureOf(error) } }),
      ),
    stop: () => signals.stop(),
  };
  port.on('message', (envelope: ToActor) => handlers[envelope.kind](envelope as never));
}

type Send = (envelope: FromActor) => void;
type Post = Extract<ToActor, { kind: 'tell' | 'ask' }>;

function letterOf(envelope: Post, send: Send): Letter {
  const { kind, id, message, trace } = envelope;
  let accepted = false;
  return {
    message,
    trace,
    alone: false,
    accepted: () => {
      accepted = true;
      send({ kind: 'accepted', id, lane: message.kind });
    },
    settled: (result) => {
      if (!accepted && !result.ok) send({ kind: 'refused', id, lane: message.kind, failure: result.failure });
      else if (kind === 'ask') reply(envelope, result, send);
    },
  };
}

function reply(envelope: Post, result: Result<unknown>, send: Send): void {
  try {
    send({ kind: 'replied', id: envelope.id, result });
  } catch (error) {
    send({ kind: 'replied', id: envelope.id, result: { ok: false, failure: notPlainData(error, envelope) } });
  }
}

function notPlainData(error: unknown, envelope: Post): Failure {
  return mailboxFailure(
    'BROKEN',
    `the reply to '${envelope.message.kind}' is not plain data: ${failureOf(error).message}`,
  );
}
