import type { Message } from './delivery.ts';
import type { Failure, Result } from './failure.ts';

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
