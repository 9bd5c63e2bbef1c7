import type { Failure, Result } from './failure.ts';

/** Every message is plain data with a `kind`: commands in the imperative, events in the past tense. */
export interface Message {
  readonly kind: string;
}

/**
 * One message as a behavior receives it. Settle it at most once, with `done` or `fail`; what a handler leaves unsettled
 * when it returns counts as done without a value, and what it leaves unsettled when it throws fails with that error.
 */
export interface Delivery<M extends Message = Message, R = unknown> {
  readonly message: M;
  /** W3C traceparent of the sender, or '' where there is none: AsyncLocalStorage does not cross threads. */
  readonly trace: string;
  /** It was handed over before, or may have been, and not settled well: something newer may have been handled since. */
  readonly again?: boolean;
  done(value?: R): void;
  fail(failure: Failure): void;
}

/**
 * What crosses a mailbox port, one union per direction. `id` is the sender's and unique per port; `lane` is the
 * message's kind. Signals (ping, drain, stop) take no credit and no place in the mailbox.
 */
export type ToActor =
  | { readonly kind: 'tell'; readonly id: number; readonly message: Message; readonly trace: string }
  | { readonly kind: 'ask'; readonly id: number; readonly message: Message; readonly trace: string }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'drain'; readonly id: number; readonly withinMs: number }
  | { readonly kind: 'stop' };

export type FromActor =
  /** The message has a place in the mailbox; gives the lane's credit back. */
  | { readonly kind: 'accepted'; readonly id: number; readonly lane: string }
  /** The message never got a place; gives the lane's credit back. */
  | { readonly kind: 'refused'; readonly id: number; readonly lane: string; readonly failure: Failure }
  /** The outcome of an ask, or the answer to a signal. */
  | { readonly kind: 'replied'; readonly id: number; readonly result: Result<unknown> };
