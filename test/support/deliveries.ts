import type { Delivery, Message } from '../../src/mailbox/message.ts';
import { type Failure, failureOf } from '../../src/mailbox/failure.ts';

interface Settled<M extends Message> extends Delivery<M> {
  /** Undefined until settled. */
  readonly settled: { readonly value: unknown } | { readonly failure: Failure } | undefined;
}

/** Hands a batch to a handler as the runtime does: what is left unsettled is done, or fails with what was thrown. */
export async function deliver<M extends Message>(
  handler: (batch: readonly Delivery<M>[]) => Promise<void>,
  ...messages: readonly M[]
): Promise<readonly Settled<M>[]> {
  return hand(handler, messages, false);
}

/** Messages that were handed over before. */
export async function deliverAgain<M extends Message>(
  handler: (batch: readonly Delivery<M>[]) => Promise<void>,
  ...messages: readonly M[]
): Promise<readonly Settled<M>[]> {
  return hand(handler, messages, true);
}

async function hand<M extends Message>(
  handler: (batch: readonly Delivery<M>[]) => Promise<void>,
  messages: readonly M[],
  again: boolean,
): Promise<readonly Settled<M>[]> {
  const batch = messages.map((message) => {
    const delivery = {
      message,
      trace: '',
      again,
      settled: undefined as { value: unknown } | { failure: Failure } | undefined,
      done(value?: unknown) {
        delivery.settled ??= { value };
      },
      fail(failure: Failure) {
        delivery.settled ??= { failure };
      },
    };
    return delivery;
  });
  try {
    await handler(batch);
  } catch (error) {
    const failure = failureOf(error);
    if (!failure.retryable) throw error;
    for (const delivery of batch) delivery.fail(failure);
  }
  for (const delivery of batch) delivery.done();
  return batch;
}

/** The failure's code, `done` where there was none. */
export function outcomeOf({ settled }: Settled<Message>): string {
  return settled !== undefined && 'failure' in settled ? settled.failure.code : 'done';
}
