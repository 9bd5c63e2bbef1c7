import type { Failure } from './failure.ts';

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
  /** It was handed over before and not settled well, or may have been: something newer may have been handled since. */
  readonly again?: boolean;
  done(value?: R): void;
  fail(failure: Failure): void;
}
