import type { Delivery } from '../mailbox/message.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { Handlers } from '../mailbox/mailbox.ts';
import type { SupervisorRequestKind, SupervisorRequests } from '../protocol/requests.ts';
import { emit, type RotaEvent } from '../telemetry/events.ts';
import { inSpan } from '../telemetry/spans.ts';

/** What answers the actors' requests: one method per kind, for the asking actor's own scheduler. */
export type ActorBackend = {
  readonly [K in SupervisorRequestKind]: (
    scheduler: string,
    request: SupervisorRequests[K]['request'],
  ) => Promise<SupervisorRequests[K]['reply']>;
};

export type RequestMessage<K extends SupervisorRequestKind = SupervisorRequestKind> = {
  readonly [Kind in K]: { readonly kind: Kind; readonly request: SupervisorRequests[Kind]['request'] };
}[K];

/** Something happened in the actor's thread that subscribers in the main thread want to hear of. */
export interface ThreadEventHappened {
  readonly kind: 'thread-event-happened';
  readonly event: RotaEvent;
}

/** Everything that an actor sends to its supervisor. */
export type ActorMessage = RequestMessage | ThreadEventHappened;

/** Listed, not derived from the backend: an object may have more methods than the protocol. */
const requestKinds: { readonly [K in SupervisorRequestKind]: true } = {
  'push-tasks': true,
  'latest-tasks': true,
  'claim-due-schedules': true,
  'settle-schedules': true,
  'read-schedules': true,
  'schedules-of-boefje': true,
  'add-schedules': true,
  'forget-oois': true,
  'revoke-tasks': true,
  'enable-schedules': true,
  'delete-schedules': true,
  'seen-boefjes': true,
  'save-seen-boefjes': true,
};

/**
 * Handlers of the mailbox that one actor's requests arrive in. A failure of the backend is the asking actor's answer,
 * never the supervisor's end.
 */
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
  const handlers = Object.fromEntries(Object.keys(requestKinds).map((kind) => [kind, answerAll]));
  return { ...handlers, 'thread-event-happened': publish } as unknown as Handlers<ActorMessage>;
}

/** Requests carry one set, or none. */
function sizeOf(request: object): number {
  return Object.values(request).find(Array.isArray)?.length ?? 0;
}
