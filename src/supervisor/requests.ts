import type { Delivery } from '../mailbox/message.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { Handlers } from '../mailbox/mailbox.ts';
import { type ActorRef, valueOf } from '../mailbox/ref.ts';
import type { AskSupervisor, MethodOf, SupervisorRequestKind, SupervisorRequests } from '../protocol/requests.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { ScheduleStore, StoreKind } from '../queue/schedules/schedule-store.ts';
import { emit, type RotaEvent } from '../telemetry/events.ts';
import { inSpan } from '../telemetry/spans.ts';

/** Answers the actors' requests: one method per kind, each for the asking actor's own scheduler. */
export type ActorBackend = {
  readonly [K in SupervisorRequestKind]: (
    scheduler: string,
    request: SupervisorRequests[K]['request'],
  ) => Promise<SupervisorRequests[K]['reply']>;
};

type RequestMessage = {
  readonly [K in SupervisorRequestKind]: { readonly kind: K; readonly request: SupervisorRequests[K]['request'] };
}[SupervisorRequestKind];

/** An event of the actor's thread for the subscribers in the main thread. */
interface ThreadEventHappened {
  readonly kind: 'thread-event-happened';
  readonly event: RotaEvent;
}

/** Everything that an actor sends to its supervisor. */
export type ActorMessage = RequestMessage | ThreadEventHappened;

/** Listed, not derived from the store: an object may have more methods than the protocol. */
const storeKinds: { readonly [K in StoreKind]: true } = {
  'latest-tasks': true,
  'failure-streaks': true,
  'claim-due-schedules': true,
  'settle-schedules': true,
  'read-schedules': true,
  'disabled-schedules': true,
  'schedules-of-boefje': true,
  'add-schedules': true,
  'forget-oois': true,
  'revoke-tasks': true,
  'enable-schedules': true,
  'delete-schedules': true,
  'seen-boefjes': true,
  'save-seen-boefjes': true,
  'set-default-limits': true,
};

/** Pushes go to the queue, everything else to the schedule store: no other part knows SQL. */
export function createActorBackend(queue: Pick<TaskQueue, 'push'>, store: ScheduleStore): ActorBackend {
  const ofStore = (Object.keys(storeKinds) as StoreKind[]).map((kind) => {
    const method = methodOf(kind);
    return [kind, async (scheduler: string, request: never) => store[method](scheduler, request)];
  });
  return {
    'push-tasks': async (scheduler, { tasks }) => queue.push(scheduler, tasks),
    ...(Object.fromEntries(ofStore) as Pick<ActorBackend, StoreKind>),
  };
}

/** The store's method for a kind of request: `latestTasks` for `latest-tasks`. */
function methodOf<K extends StoreKind>(kind: K): MethodOf<K> {
  return kind.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()) as MethodOf<K>;
}

/** Handlers of the mailbox for one actor's requests. A failure of the backend is the actor's answer, nothing more. */
export function requestHandlers(scheduler: string, backend: ActorBackend): Handlers<ActorMessage> {
  const answer = async (delivery: Delivery<RequestMessage>) => {
    const { kind, request } = delivery.message;
    const attributes = { 'rota.scheduler': scheduler, 'rota.count': sizeOf(request) };
    try {
      const answer = async () => backend[kind](scheduler, request as never);
      delivery.done(await inSpan<unknown>(kind, { parent: delivery.trace, attributes }, answer));
    } catch (error) {
      delivery.fail(failureOf(error));
    }
  };
  const answerAll = async (batch: readonly Delivery<RequestMessage>[]) => {
    await Promise.all(batch.map(answer));
  };
  const publish = async (batch: readonly Delivery<ThreadEventHappened>[]) => {
    for (const { message } of batch) emit(message.event);
  };
  const kinds = Object.keys(backend);
  const handlers = Object.fromEntries(kinds.map((kind) => [kind, answerAll]));
  return { ...handlers, 'thread-event-happened': publish } as unknown as Handlers<ActorMessage>;
}

/** A push of ten thousand tasks commits in seconds; beyond a minute the database is in trouble and the batch is retried. */
const answerWithinMs = 60_000;

/** The other end, in the actor's thread: a failure is thrown, with its code. `requests` is the port to these handlers. */
export function askOver(requests: ActorRef<ActorMessage>): AskSupervisor {
  return async (kind, request) =>
    valueOf(
      await requests.ask<SupervisorRequests[typeof kind]['reply']>({ kind, request } as ActorMessage, {
        withinMs: answerWithinMs,
      }),
      kind,
    );
}

/** Requests carry one set, or none. */
function sizeOf(request: object): number {
  return Object.values(request).find(Array.isArray)?.length ?? 0;
}
