import { channel, subscribe as subscribeChannel, unsubscribe as unsubscribeChannel } from 'node:diagnostics_channel';
import type { RefusalReason, RevocationReason } from '../tasks/refusal.ts';
import type { TaskStatus } from '../tasks/task.ts';
import type { EndedSpan } from './spans.ts';

/**
 * The contract of what Rota tells about itself: logs, metrics and the NATS task events are subscribers of it, tests
 * await it. Names are `noun.verb-past`; fields are API. Sets, never one event per task of a set.
 */
export type RotaEvent =
  | { readonly name: 'tasks.queued'; readonly scheduler: string; readonly tasks: readonly TaskRef[] }
  | {
      readonly name: 'tasks.refused';
      readonly scheduler: string;
      readonly reason: RefusalReason;
      readonly count: number;
      /** Which ones, where the queue refused them: what an actor declines its own thread has logged. */
      readonly tasks?: readonly { readonly organisation: string; readonly hash: string }[];
    }
  | {
      readonly name: 'tasks.dispatched';
      readonly scheduler: string;
      readonly tasks: readonly TaskRef[];
      readonly via: 'nats' | 'rest';
    }
  /** A status set by a patch, a release or the sweeper. */
  | {
      readonly name: 'tasks.changed';
      readonly scheduler: string;
      readonly status: TaskStatus;
      readonly reason: string | null;
      readonly tasks: readonly TaskRef[];
      /** Of those tasks that have a trace. */
      readonly traced?: readonly TracedTask[];
    }
  /** Their permission ended after they were handed out, and before they began. Nothing was changed: whoever holds one may drop it. */
  | {
      readonly name: 'tasks.revoked';
      readonly scheduler: string;
      readonly reason: RevocationReason;
      readonly tasks: readonly TaskRef[];
    }
  /** Finished tasks past the retention time. */
  | { readonly name: 'tasks.removed'; readonly count: number }
  | { readonly name: 'schedules.removed'; readonly count: number }
  | { readonly name: 'leases.expired'; readonly requeued: number; readonly failed: number; readonly superseded: number }
  | {
      readonly name: 'claim.completed';
      readonly scheduler: string;
      readonly waiters: number;
      readonly rows: number;
      readonly ms: number;
      /** Seconds since each was made, of those that are claimed for the first time. */
      readonly waited: readonly number[];
    }
  /** A ranker's batch; `failure`: how the ranker failed, or the code with which it was not asked. */
  | {
      readonly name: 'batch.ranked';
      readonly ranker: string;
      readonly tasks: number;
      readonly ms: number;
      readonly failure: string | null;
    }
  | { readonly name: 'waiter.parked'; readonly scheduler: string }
  /** A request over NATS whose answer would go to no inbox: a publish of ours where its sender may not. Nothing was done. */
  | {
      readonly name: 'request.dropped';
      /** `no-reply`: a pop, whose tasks would reach no worker. */
      readonly reason: 'reply-subject' | 'no-reply';
      readonly subject: string;
      /** The reply subject's first token: who it may be. */
      readonly reply: string;
    }
  /** What no handler caught; after an `exception` the process ends in order. */
  | { readonly name: 'error.uncaught'; readonly kind: 'rejection' | 'exception'; readonly error: unknown }
  | { readonly name: 'actor.started'; readonly actor: string; readonly restarts: number }
  | { readonly name: 'actor.stopped'; readonly actor: string; readonly code: string; readonly message: string }
  | { readonly name: 'actor.gave-up'; readonly actor: string; readonly restarts: number; readonly retryInMs: number }
  /** KAT events that were acknowledged within the last second: seconds from the broker's delivery to the commit, of each. */
  | { readonly name: 'events.committed'; readonly stream: string; readonly seconds: readonly number[] }
  | { readonly name: 'event.dead-lettered'; readonly stream: string; readonly code: string; readonly message: string }
  /** `source`: broker and stream, such as `rabbitmq:raw_file_received`. */
  | { readonly name: 'source.connected'; readonly source: string }
  /** What KAT publishes the stream into is there: told each time that it was looked after. */
  | { readonly name: 'source.declared'; readonly stream: string }
  | { readonly name: 'source.lost'; readonly source: string; readonly message: string }
  /** What Rota stands on was asked and is away, or refuses: outages.ts. `link`: which connection to it. */
  | { readonly name: 'part.failed'; readonly part: string; readonly link: string; readonly reason: string }
  /** It answers again. Only told after a failure. */
  | { readonly name: 'part.answered'; readonly part: string; readonly link: string }
  | { readonly name: 'circuit.changed'; readonly service: string; readonly state: 'closed' | 'open' | 'half-open' }
  /** Only where somebody follows them: spans.ts. */
  | { readonly name: 'spans.ended'; readonly spans: readonly EndedSpan[] }
  | { readonly name: 'supervisor.ready'; readonly ms: number }
  | { readonly name: 'supervisor.drained'; readonly ms: number };

export interface TaskRef {
  readonly id: string;
  readonly organisation: string;
}

export interface TracedTask extends TaskRef {
  /** Traceparent of its push. */
  readonly trace: string;
  /** Traceparent of the request that changed it; '' where there was none. */
  readonly by: string;
}

export type EventName = RotaEvent['name'];
export type EventOf<N extends EventName> = Extract<RotaEvent, { name: N }>;

/**
 * Publishes on the channel `rota:<name>`; costs next to nothing where nobody listens. A channel does not cross threads:
 * what a scheduler's thread emits reaches the main thread through forward.ts.
 */
export function emit(event: RotaEvent): void {
  const target = channel(`rota:${event.name}`);
  if (target.hasSubscribers) target.publish(event);
}

/** Whether anybody subscribes: for events that would be costly to put together. */
export function isHeard(name: EventName): boolean {
  return channel(`rota:${name}`).hasSubscribers;
}

/** @returns what ends the subscription. */
export function on<N extends EventName>(name: N, handler: (event: EventOf<N>) => void): () => void {
  const listener = (message: unknown) => handler(message as EventOf<N>);
  subscribeChannel(`rota:${name}`, listener);
  return () => unsubscribeChannel(`rota:${name}`, listener);
}

/** The next event of that name that `matches`, for tests and for whoever waits on one. */
export function next<N extends EventName>(
  name: N,
  matches: (event: EventOf<N>) => boolean = () => true,
): Promise<EventOf<N>> {
  return new Promise((resolve) => {
    const off = on(name, (event) => {
      if (!matches(event)) return;
      off();
      resolve(event);
    });
  });
}
