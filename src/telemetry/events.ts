import { channel, subscribe as subscribeChannel, unsubscribe as unsubscribeChannel } from 'node:diagnostics_channel';
import type { RefusalReason, RevocationReason } from '../tasks/refusal.ts';
import type { TaskStatus } from '../tasks/task.ts';

/**
 * Every event that Rota emits about itself. The log, the metrics and the NATS task events subscribe to them, tests await them.
 * Names are `noun.verb-past`; fields are API. A set of tasks is one event, never one per task.
 */
export type RotaEvent =
  | { readonly name: 'tasks.queued'; readonly scheduler: string; readonly tasks: readonly TaskRef[] }
  | {
      readonly name: 'tasks.refused';
      readonly scheduler: string;
      readonly reason: RefusalReason;
      readonly count: number;
      /** Present where the queue refused them. What an actor declines, the actor's own thread logs. */
      readonly tasks?: readonly { readonly organisation: string; readonly hash: string }[];
    }
  | {
      readonly name: 'tasks.dispatched';
      readonly scheduler: string;
      readonly tasks: readonly TaskRef[];
      readonly via: 'nats' | 'rest';
    }
  /** A patch, a release or the sweeper set a status. */
  | {
      readonly name: 'tasks.changed';
      readonly scheduler: string;
      readonly status: TaskStatus;
      readonly reason: string | null;
      readonly tasks: readonly TaskRef[];
      /** The tasks among them that have a trace. */
      readonly traced?: readonly TracedTask[];
      /** Those that completed or failed. */
      readonly ended?: readonly EndedTask[];
    }
  /** Permission for these tasks ended between their claim and their start. Rota changes nothing; their workers may drop them. */
  | {
      readonly name: 'tasks.revoked';
      readonly scheduler: string;
      readonly reason: RevocationReason;
      readonly tasks: readonly TaskRef[];
    }
  /** Retention deleted finished tasks. */
  | { readonly name: 'tasks.removed'; readonly count: number }
  | { readonly name: 'schedules.removed'; readonly count: number }
  /** Due schedules whose pairs fail were moved on without a task: of each, its failures in a row. */
  | { readonly name: 'schedules.delayed'; readonly scheduler: string; readonly failures: readonly number[] }
  | { readonly name: 'leases.expired'; readonly requeued: number; readonly failed: number; readonly superseded: number }
  | {
      readonly name: 'claim.completed';
      readonly scheduler: string;
      readonly waiters: number;
      readonly rows: number;
      readonly ms: number;
      /** Seconds from creation to this claim, of each task that is claimed for the first time. */
      readonly waited: readonly number[];
      /** Images that its filter asks for; null where it rules none out. */
      readonly asked: readonly string[] | null;
      readonly filtered: boolean;
      /** Of each row; of plug-ins and images '' where its task has none. */
      readonly organisations: readonly string[];
      readonly plugins: readonly string[];
      readonly images: readonly string[];
      /** Of each row; none where the claim was not in the order of ranks. */
      readonly ranks: readonly number[];
    }
  /** `failure`: how the ranker failed, or the error code for which it was not called. */
  | {
      readonly name: 'batch.ranked';
      readonly ranker: string;
      readonly tasks: number;
      readonly ms: number;
      readonly failure: string | null;
    }
  | { readonly name: 'waiter.parked'; readonly scheduler: string }
  /**
   * A NATS request that was not executed, since its reply subject is no inbox: answering would publish, with our rights, where
   * the sender may not.
   */
  | {
      readonly name: 'request.dropped';
      /** `no-reply`: a pop without a reply subject; its tasks would reach no worker. */
      readonly reason: 'reply-subject' | 'no-reply';
      readonly subject: string;
      /** First token of the reply subject, which may identify the sender. */
      readonly reply: string;
    }
  /** A request was refused, or a connection, since a budget was in use: its client's, or that of all clients together. */
  | {
      readonly name: 'request.refused';
      readonly edge: 'nats' | 'rest';
      readonly of: 'client' | 'all';
      /** Inbox, token or address: what budgets are counted by. */
      readonly client: string;
      /** What is in use, and its variable where it has one. */
      readonly reason: string;
    }
  /** No handler caught it. After an `exception` the process drains and exits. */
  | { readonly name: 'error.uncaught'; readonly kind: 'rejection' | 'exception'; readonly error: unknown }
  | { readonly name: 'actor.started'; readonly actor: string; readonly restarts: number }
  | { readonly name: 'actor.stopped'; readonly actor: string; readonly code: string; readonly message: string }
  | { readonly name: 'actor.gave-up'; readonly actor: string; readonly restarts: number; readonly retryInMs: number }
  /** KAT events acknowledged within the last second: of each, the seconds from the broker's delivery to the commit. */
  | { readonly name: 'events.committed'; readonly stream: string; readonly seconds: readonly number[] }
  | { readonly name: 'event.dead-lettered'; readonly stream: string; readonly code: string; readonly message: string }
  /** `source`: broker and stream, such as `rabbitmq:raw_file_received`. */
  | { readonly name: 'source.connected'; readonly source: string }
  /** The queue or stream into which KAT publishes exists. Emitted at every declaration. */
  | { readonly name: 'source.declared'; readonly stream: string }
  | { readonly name: 'source.lost'; readonly source: string; readonly message: string }
  /** See partFailed. */
  | { readonly name: 'part.failed'; readonly part: string; readonly link: string; readonly reason: string }
  /** The connection answers again. Emitted only after a failure. */
  | { readonly name: 'part.answered'; readonly part: string; readonly link: string }
  | ({ readonly name: 'outage.changed'; readonly now: 'began' | 'lasts' | 'ended' } & Outage)
  | Readonly<{ name: 'circuit.changed'; actor: string; service: string; state: 'closed' | 'open' | 'half-open' }>
  /** Emitted only while traces are exported: spans.ts. */
  | { readonly name: 'spans.ended'; readonly spans: readonly EndedSpan[] }
  | { readonly name: 'supervisor.ready'; readonly ms: number }
  | { readonly name: 'supervisor.drained'; readonly ms: number };

/** Of all connections of a part (src/observation/outages.ts): so far, with the last failure. */
type Outage = Readonly<Record<'part' | 'reason', string> & Record<'seconds' | 'failures', number>>;

/** How an attempt ended, for metrics. */
export interface EndedTask {
  readonly organisation: string;
  /** Boefje or normalizer; null where it has none, or its data is too large to look into. */
  readonly plugin: string | null;
  /** Since its worker began; null where that never said so. */
  readonly seconds: number | null;
  /** Of its error, '' where its worker gave none; null where it completed. */
  readonly code: string | null;
}

export interface TaskRef {
  readonly id: string;
  readonly organisation: string;
  /** Why it failed, as far as its worker or Rota says. */
  readonly error?: { readonly code?: string; readonly message: string };
}

export interface TracedTask extends TaskRef {
  /** Traceparent of its push. */
  readonly trace: string;
  /** Traceparent of the request that changed it; '' without one. */
  readonly by: string;
}

/** A span as plain data, since it crosses threads. Only src/observation/otlp.ts knows OpenTelemetry. */
export interface EndedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  /** Its own traceparent: trace, id and flags in one. */
  readonly trace: string;
  /** Traceparent of its parent; '' where it begins a trace. */
  readonly parent: string;
  /** Traceparents of related spans, in this trace or others. */
  readonly links: readonly string[];
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: SpanAttributes;
  /** A code of src/errors.ts; null for success. */
  readonly failure: string | null;
}

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** Counts and ids for operators; never secrets or payloads. */
export type SpanAttributes = Readonly<Record<string, string | number>>;

export type EventName = RotaEvent['name'];
export type EventOf<N extends EventName> = Extract<RotaEvent, { name: N }>;

/**
 * Publishes on the channel `rota:<name>`; almost free without subscribers. A channel does not cross threads: forwardEvents
 * takes the events of a scheduler's thread to the main thread.
 */
export function emit(event: RotaEvent): void {
  const target = channel(`rota:${event.name}`);
  if (target.hasSubscribers) target.publish(event);
}

/** Whether the event has a subscriber: for events that are costly to build. */
export function isHeard(name: EventName): boolean {
  return channel(`rota:${name}`).hasSubscribers;
}

/** @returns a function that ends the subscription. */
export function on<N extends EventName>(name: N, handler: (event: EventOf<N>) => void): () => void {
  const listener = (message: unknown) => handler(message as EventOf<N>);
  subscribeChannel(`rota:${name}`, listener);
  return () => unsubscribeChannel(`rota:${name}`, listener);
}

/** The next event of that name that `matches`. */
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

/** Connections of this thread that failed and have not answered since. */
const failing = new Set<string>();

/**
 * A dependency (`database`, `nats`, `rabbitmq`, a service of KAT) was asked, and is unreachable or refuses. `link` names the
 * connection, where a dependency has several that fail independently.
 */
export function partFailed(part: string, reason: string, link = part): void {
  failing.add(link);
  emit({ name: 'part.failed', part, link, reason });
}

/** The dependency answered. Called on the hot path: it costs nothing while no connection fails. */
export function partAnswered(part: string, link = part): void {
  if (failing.size > 0 && failing.delete(link)) emit({ name: 'part.answered', part, link });
}

/** The events that scheduler threads emit. */
const happensInThreads = [
  'tasks.refused',
  'events.committed',
  'event.dead-lettered',
  'source.connected',
  'source.declared',
  'source.lost',
  'part.failed',
  'part.answered',
  'circuit.changed',
] as const satisfies readonly RotaEvent['name'][];

/**
 * Passes the events of a scheduler's thread to `send`, which emits them in the main thread. Subscribing to spans is what makes
 * this thread record them, so `spans` is true only while the main thread exports traces.
 */
export function forwardEvents(send: (event: RotaEvent) => void, { spans }: { spans: boolean }): void {
  for (const name of happensInThreads) on(name, send);
  if (spans) on('spans.ended', send);
}
