import type { Handler } from '../mailbox/lane.ts';
import type { Delivery, Message } from '../mailbox/message.ts';
import { type Failure, failureOf } from '../mailbox/failure.ts';
import { inTrace } from '../mailbox/trace.ts';
import type { Behavior } from '../protocol/scheduler.ts';
import { type Span, startSpan } from './spans.ts';

/**
 * Wraps a scheduler's handlers: each message of a batch gets a span in its own trace. Work that a batch does together is in the
 * trace of its first message, to which the spans of the others link.
 */
export function handlersInSpans<M extends Message>(
  behavior: Behavior<M>,
  { scheduler, type }: { scheduler: string; type: string },
): Behavior<M> {
  const handlers = Object.entries<unknown>(behavior).map(([kind, handler]) => {
    const attributes = { 'rota.scheduler': scheduler };
    const start = (parent: string, links: readonly string[]) =>
      startSpan(handlerSpanName(type, kind), { kind: 'consumer', parent, links, attributes })!;
    return [kind, (batch: readonly Delivery[]) => handle(batch, handler as Handler, start)];
  });
  return Object.fromEntries(handlers) as Behavior<M>;
}

async function handle(
  batch: readonly Delivery[],
  handler: Handler,
  start: (parent: string, links: readonly string[]) => Span,
): Promise<void> {
  const first = start(batch[0]!.trace, []);
  first.set({ 'rota.count': batch.length });
  const followed = batch.map(
    (delivery, at) => new Followed(delivery, at === 0 ? first : start(delivery.trace, [first.trace])),
  );
  try {
    await inTrace(first.trace, () => handler(followed));
    for (const delivery of followed) delivery.done();
  } catch (error) {
    for (const delivery of followed) delivery.fail(failureOf(error));
    throw error;
  }
}

/** A delivery whose span ends when it is settled. */
class Followed implements Delivery {
  readonly message: Message;
  readonly trace: string;
  readonly #delivery: Delivery;
  readonly #span: Span;

  constructor(delivery: Delivery, span: Span) {
    this.message = delivery.message;
    this.trace = span.trace;
    this.#delivery = delivery;
    this.#span = span;
  }

  done(value?: unknown): void {
    this.#span.end();
    this.#delivery.done(value);
  }

  fail(failure: Failure): void {
    this.#span.fail(failure);
    this.#span.end();
    this.#delivery.fail(failure);
  }
}

/** mula's method names, by kind of message. */
const methods: Readonly<Record<string, string>> = {
  'scan-profile-mutated': 'process_mutations',
  'look-for-new-boefjes': 'process_new_boefjes',
  'raw-file-received': 'process_raw_data',
  reschedule: 'process_rescheduling',
};

/** Such as `BoefjeScheduler.process_mutations`. */
export function handlerSpanName(type: string, kind: string): string {
  return `${schedulerName(type)}.${methods[kind] ?? kind.replaceAll('-', '_')}`;
}

/** Such as `BoefjeScheduler.push_boefje_task`. */
export function pushSpanName(type: string): string {
  return `${schedulerName(type)}.push_${type.replaceAll('-', '_')}_task`;
}

/** The name of mula's class. */
function schedulerName(type: string): string {
  return `${type.replaceAll(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())}Scheduler`;
}
