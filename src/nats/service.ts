import type { Endpoint, Msg, MsgHdrs, NatsConnection, ServiceGroup, ServiceMsg } from 'nats';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';
import { traceHeader } from '../mailbox/trace.ts';
import { excerpt } from '../printable.ts';
import { answerWithinMs, popMarginMs, Slab, unanswered } from '../admission.ts';
import type { Log } from '../protocol/scheduler.ts';
import type { TaskQueue } from '../queue/queue.ts';
import { Answers, answerInSpan } from './replies.ts';
import { type ClientBudgets, requestBudget, inFlightByKind, sizeWithinBudget } from './budgets.ts';
import type { Caller, RunCommand } from '../control/operator-command.ts';
import { answeringInboxesOnly, clientOfReply } from './inbox.ts';
import { accessHeader, operatorHeader } from './client-requests.ts';
import { watchLink } from './connect.ts';
import { emit, partAnswered, partFailed } from '../telemetry/events.ts';
import { createPopDesk } from './pop.ts';
import { push, type SchedulerRef } from './push.ts';
import { endpointNames, metadataOf, parseBody } from './requests.ts';
import { getTask, heartbeat, patchTasks } from './settle.ts';
import { Turns } from './turns.ts';

interface NatsServiceOptions {
  readonly connection: NatsConnection;
  /** Subject prefix, service name and queue group: `rota`. */
  readonly prefix: string;
  /** This supervisor among others: letters, digits, `_` and `-`. */
  readonly instance: string;
  /** Semantic version, shown by `$SRV.INFO`. */
  readonly version: string;
  readonly queue: TaskQueue;
  readonly schedulers: readonly SchedulerRef[];
  /** Lease of a pop that names none. */
  readonly leaseMs: number;
  /** A longer ask is shortened to this. */
  readonly longestLeaseMs: number;
  /** Operators' commands, on `<prefix>.ctl.<command>` of any supervisor, and on `<prefix>.ctl.<instance>.<command>` of this one. */
  readonly ctl: RunCommand;
  /** Inboxes: where answers may go; `_INBOX` is `_INBOX.>` and `_INBOX_<name>.>`. */
  readonly replyPrefixes: readonly string[];
  readonly clients: ClientBudgets;
  readonly log: Log;
}

export interface NatsService {
  /** Accepts no more requests, ends waits with an empty answer, answers requests in flight (bounded by `withinMs`). */
  drain(withinMs: number): Promise<void>;
  status(): NatsServiceStatus;
}

interface NatsServiceStatus {
  readonly connected: boolean;
  readonly inFlight: number;
  readonly answered: number;
  /** Answers that were errors, by code. */
  readonly errors: Readonly<Record<string, number>>;
}

/**
 * A reply that arrives before the requester has reconnected and subscribed again is dropped by the server; clients of ours
 * try every 250–500 ms.
 */
const resubscribeMs = 1_000;

interface Request {
  /** The subject's last token. */
  readonly target: string;
  /** By its inbox. */
  readonly client: string;
  readonly body: unknown;
  readonly by: string | null;
  /** Of an operator's command. */
  readonly access: Caller['access'];
  /** The requester's traceparent; '' where it has none. */
  readonly trace: string;
  readonly signal: AbortSignal;
}

/** A request that was admitted. */
interface PendingRequest {
  readonly message: ServiceMsg;
  readonly name: string;
  readonly client: string;
  readonly handle: (request: Request) => Promise<string>;
  /** Gives back its place among what is in flight. */
  readonly leave: () => void;
  readonly wait: AbortController;
  /** performance.now() at which it is refused as late. */
  until: number;
  answered: boolean;
  /** Among what is in flight. */
  key: number;
}

const lookEveryMs = 500;

/**
 * Rota as a NATS micro service (docs/workers.md). Every request is a callback that starts an answer and returns: a pop that
 * waits blocks no other request, and callbacks are twice as fast as the async iterator from 64 requests in flight on.
 */
export async function serveNats(options: NatsServiceOptions): Promise<NatsService> {
  const { connection, prefix, queue, log, replyPrefixes, longestLeaseMs } = options;
  const schedulers = new Map(options.schedulers.map((scheduler) => [scheduler.id, scheduler]));
  const maxPayload = () => connection.info?.max_payload ?? 1_048_576;
  const desk = createPopDesk({
    queue,
    leaseMs: options.leaseMs,
    longestLeaseMs,
    mostFilters: options.clients.filters,
    maxPayload,
    log,
  });
  const answers = new Answers({ connection, maxPayload, log });
  const inFlight = new Slab<PendingRequest>();
  const turns = new Turns<PendingRequest>((pending) => void answer(pending));
  /** Of a drain that waits. */
  let whenIdle: (() => void) | null = null;
  const kindOf = inFlightByKind(options.clients);
  // One for all pending requests: a timer for each would cost a hundredth of a pop.
  const look = setInterval(refuseLate, lookEveryMs).unref();
  let answered = 0;
  let draining = false;
  /** Pending while NATS is away and until requesters had time to come back. */
  let reachable = Promise.withResolvers<void>();
  reachable.resolve();

  const inboxesOnly = answeringInboxesOnly(connection, replyPrefixes, drop);
  const service = await inboxesOnly.services.add({
    name: prefix,
    version: options.version,
    description: 'Task scheduler of OpenKAT',
    queue: prefix,
    metadata: { instance: options.instance },
    statsHandler: async (endpoint) => {
      countErrors(endpoint);
      return { in_flight: inFlight.size, answered, errors: answers.errors };
    },
  });
  const scheduler = (id: string): SchedulerRef => {
    const found = schedulers.get(id);
    if (found) return found;
    throw new RotaError('NOT_FOUND', `no scheduler ${excerpt(id)}; there are: ${[...schedulers.keys()].join(', ')}`);
  };
  const endpoint = (group: ServiceGroup, name: string, subject: string, handle: (r: Request) => Promise<string>) => {
    const kind = endpointNames.find((known) => known === name) ?? 'ctl';
    group.addEndpoint(name, {
      subject,
      metadata: metadataOf(kind),
      handler: (error, message) => error === null && start(message, name, handle),
    });
  };
  const root = service.addGroup(prefix);
  const of = (r: Request) => ({ 'rota.scheduler': r.target });
  endpoint(root, 'pop', 'pop.*', async (r) =>
    answerInSpan('pop', r.trace, of(r), async () => desk.pop(scheduler(r.target).id, r)),
  );
  endpoint(root, 'push', 'push.*', async (r) =>
    answerInSpan('push', r.trace, of(r), async () => push(queue, scheduler(r.target), r.body, maxPayload())),
  );
  endpoint(root, 'task-get', 'task.get', async (r) => getTask(queue, r.body, maxPayload()));
  endpoint(root, 'task-patch', 'task.patch', async (r) =>
    answerInSpan('task.patch', r.trace, {}, async () => patchTasks(queue, r.body, maxPayload())),
  );
  endpoint(root, 'task-heartbeat', 'task.heartbeat', async (r) => heartbeat(queue, r.body, longestLeaseMs));
  const ctl = async (r: Request) =>
    JSON.stringify((await options.ctl(r.target, r.body, { by: r.by, access: r.access })) ?? null);
  endpoint(root, 'ctl', 'ctl.*', ctl);
  endpoint(root, `ctl-${options.instance}`, `ctl.${options.instance}.*`, ctl);
  const link = watchLink(connection, { down: holdReplies, up: sendReplies });
  // Without this an immediate request might find no responders: the subscriptions may still be on their way.
  await connection.flush();
  log.info({ prefix, instance: options.instance }, 'nats service started');

  return {
    async drain(withinMs) {
      draining = true;
      clearInterval(look);
      await service.stop();
      // Other supervisors would take its silence for a fault.
      if (!connection.isClosed()) connection.publish(`${prefix}.left.${options.instance}`);
      if (connection.isClosed()) reachable.resolve();
      endWaits();
      const idle = new Promise<void>((resolve) => (inFlight.size === 0 ? resolve() : (whenIdle = resolve)));
      await within(idle, withinMs).catch(() => {});
      if (!connection.isClosed()) await within(connection.flush(), withinMs).catch(() => {});
    },
    status: () => ({ connected: link.up, inFlight: inFlight.size, answered, errors: { ...answers.errors } }),
  };

  function start(message: ServiceMsg, name: string, handle: (request: Request) => Promise<string>): void {
    // The task of a pop without a reply subject would have a lease without a holder.
    if (name === 'pop' && message.reply === '') return drop(message);
    answered += 1;
    const client = clientOfReply(message.reply ?? '', replyPrefixes);
    let leave: () => void;
    try {
      leave = kindOf(name).enter(client, sizeWithinBudget(message, name));
    } catch (error) {
      return answers.refuse(message, error, name, client);
    }
    const wait = new AbortController();
    if (draining) wait.abort();
    const until = performance.now() + answerWithinMs;
    const pending = { message, name, client, handle, leave, wait, until, answered: false, key: -1 };
    pending.key = inFlight.add(pending);
    turns.add(client, pending);
  }

  async function answer(pending: PendingRequest): Promise<void> {
    const { message, name, client, wait } = pending;
    try {
      if (pending.answered) return;
      // Encoded once, here: the length is needed anyway, and the library's encoder takes twice as long.
      const bytes = Buffer.from(await begin(pending));
      if (pending.answered) return;
      pending.answered = true;
      await reachable.promise;
      answers.answer(message, bytes, name);
    } catch (error) {
      const late = pending.answered && wait.signal.aborted && !draining;
      pending.answered = true;
      await reachable.promise;
      if (!late) answers.refuse(message, error, name, client);
    } finally {
      inFlight.remove(pending.key, pending);
      pending.leave();
      if (inFlight.size === 0) whenIdle?.();
    }
  }

  /**
   * Not part of `answer`, which would keep the parsed body for as long as the request takes: four sets of 1 000 pushed tasks outlived the
   * young generation so, and were copied twice.
   */
  function begin(pending: PendingRequest): Promise<string> {
    const { message, name, client, handle, wait } = pending;
    const target = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    const headers = headersOf(message);
    const by = headers?.get(operatorHeader) || null;
    const access = headers?.get(accessHeader) === 'read' ? 'read' : 'operate';
    const trace = headers?.get(traceHeader) ?? '';
    const body = parseBody(message.string());
    if (name === 'pop') pending.until = performance.now() + waitMsOf(body) + popMarginMs;
    return handle({ target, client, body, by, access, trace, signal: wait.signal });
  }

  /** Tasks that are claimed for a pop after this go back to the queue: its signal is aborted. */
  function refuseLate(): void {
    const now = performance.now();
    for (const pending of inFlight) {
      if (pending.answered || pending.until > now || !link.up) continue;
      pending.answered = true;
      pending.wait.abort();
      answers.refuse(pending.message, unanswered(), pending.name);
    }
  }

  /** The library counts what a callback throws: ours answer later, and count themselves. */
  function countErrors(endpoint: Endpoint): void {
    const { name, stats } = endpoint as Endpoint & { name: string; stats: { num_errors: number; last_error?: string } };
    const { errors, last } = answers.ofEndpoint[name] ?? { errors: 0 };
    stats.num_errors = errors;
    if (last !== undefined) stats.last_error = last;
  }

  function drop({ subject, reply = '' }: Msg | ServiceMsg): void {
    const reason = reply === '' ? 'no-reply' : 'reply-subject';
    emit({ name: 'request.dropped', reason, subject: excerpt(subject), reply: excerpt(reply.split('.', 1)[0]!) });
  }

  function endWaits(): void {
    for (const { wait } of inFlight) wait.abort();
  }

  /** While NATS is away no answer arrives: ends the waits, so that no tasks are claimed for requesters that cannot get them. */
  function holdReplies(): void {
    reachable = Promise.withResolvers();
    endWaits();
    partFailed('nats', 'the connection is lost: reconnecting');
  }

  function sendReplies(): void {
    setTimeout(reachable.resolve, resubscribeMs).unref();
    partAnswered('nats');
  }
}

/** They are read when they are asked for, and names that are none throw. */
function headersOf(message: ServiceMsg): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    throw new RotaError('INVALID_REQUEST', 'headers: expected `name: value` lines');
  }
}

/** How long a pop may wait; the validation of the whole body reports its faults. */
function waitMsOf(body: unknown): number {
  const { wait_ms: waitMs } = (body ?? {}) as { wait_ms?: unknown };
  return typeof waitMs === 'number' && waitMs > 0
    ? Math.min(waitMs, requestBudget.waitMs)
    : answerWithinMs - popMarginMs;
}
