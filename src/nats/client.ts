import { NatsError, RequestStrategy, type Msg, type NatsConnection } from 'nats';
import { natsIsLost } from '../control/overview.ts';
import { RotaError, type ErrorCode } from '../errors.ts';
import type { FilterRequest } from '../queue/filter/filter.ts';
import { excerpt, oneLine } from '../printable.ts';
import { type LeasedTask, type Task, type TaskData, type TaskError, type TaskStatus } from '../tasks/task.ts';
import { connectNats, type NatsAccess, watchLink } from './connect.ts';
import { chunksOf, repeating, requestError, sentHeaders, serviceError } from './client-requests.ts';
import { chance } from '../time-and-chance.ts';

export interface PopOptions {
  /** Units: a deduplicated group counts once. 1 where absent. Fewer may come: what fits into one message. */
  readonly limit?: number;
  readonly filters?: FilterRequest;
  /** How long to wait for the first task; 0 answers at once. */
  readonly wait_ms?: number;
  readonly lease_ms?: number;
  /** Shown to operators beside the lease. */
  readonly worker?: string;
}

export interface TaskPush {
  /** A fresh one where absent: name it to make the same push again. */
  readonly id?: string;
  readonly organisation: string;
  readonly data: TaskData;
  /** 1 is a person's. Absent: the scheduler's ranker decides. */
  readonly priority?: number;
}

export interface StatusPatch {
  readonly id: string;
  readonly status: TaskStatus;
  readonly lease_id: string;
  /** Why it failed; goes with failed, queued and cancelled. */
  readonly error?: TaskError;
}

interface Lease {
  readonly id: string;
  readonly lease_id: string;
}

interface PushSetOptions {
  /** Answers the id and status of each task alone: less work for Rota, where the tasks are known anyway. */
  readonly brief?: boolean;
}

/** One result of a set: of pushes the whole task where all of them fit into one message; or why there is none. */
export type ItemResult = Named | { readonly error: { readonly code: ErrorCode; readonly detail: string } };
type Named = Pick<Task, 'id' | 'status'> & Partial<Task>;

/**
 * Rota over NATS. Every method rejects with a RotaError: the service's own code, SERVICE_UNAVAILABLE where no supervisor
 * answers, ASK_TIMEOUT where one took too long, UNAUTHORIZED where NATS forbids the subject.
 */
export interface RotaClient {
  readonly connection: NatsConnection;
  pop(scheduler: string, options?: PopOptions): Promise<LeasedTask[]>;
  /**
   * The same with up to 1 000 patches, which are settled whether or not a task is found: one request instead of two. Waits for no task. An error
   * says nothing of the patches: send them by themselves.
   */
  settleAndPop(
    scheduler: string,
    patches: readonly StatusPatch[],
    options?: Omit<PopOptions, 'wait_ms'>,
  ): Promise<{ results: LeasedTask[]; settled: ItemResult[] }>;
  push(scheduler: string, task: TaskPush): Promise<Task>;
  push(scheduler: string, tasks: readonly TaskPush[], options?: PushSetOptions): Promise<ItemResult[]>;
  /** A task that this lease holds, or held when it ended. Operators: `ctl('task-details', {ids})`. */
  get(lease: Lease): Promise<Task | null>;
  patch(patch: StatusPatch): Promise<Task>;
  patch(patches: readonly StatusPatch[]): Promise<ItemResult[]>;
  heartbeat(leases: readonly Lease[], leaseMs?: number): Promise<{ renewed: string[]; lost: string[] }>;
  /** `instance` asks that supervisor alone; `by` is written to its audit log. */
  ctl<T = unknown>(command: string, body?: unknown, options?: CtlOptions): Promise<T>;
  /** The supervisors that answer a ping within a second, or so many milliseconds. */
  instances(withinMs?: number): Promise<string[]>;
  /** Calls `left` with each supervisor that says that it ends, as long as the connection is open. */
  onLeft(left: (instance: string) => void): void;
  close(): Promise<void>;
}

interface CtlOptions {
  readonly instance?: string;
  readonly by?: string;
  /** Of a person who may only look: a command that changes something is refused. */
  readonly access?: 'read';
  readonly timeoutMs?: number;
}

interface ClientAccess extends NatsAccess {
  /** `rota` where absent. */
  readonly prefix?: string;
  /** How long an answer may take, in addition to a pop's own wait. */
  readonly timeoutMs?: number;
}

/**
 * The driver writes a subject as it is: a line end in one would begin a protocol line of its own, written in our name. Names of schedulers,
 * commands and supervisors are parts of subjects, and may come from others.
 */
const wellFormed = /^[^\p{Z}\p{C}.*>]+(?:\.[^\p{Z}\p{C}.*>]+)*$/u;

/** Statements of a busy queue take well below a second (p99): this leaves time for a reconnection. */
const defaultTimeoutMs = 10_000;
export async function connectRota(access: ClientAccess): Promise<RotaClient> {
  return rotaClient(await connectNats({ name: 'rota client', ...access }), access);
}

/** A client on a connection that exists already. */
export function rotaClient(
  connection: NatsConnection,
  options: { prefix?: string; timeoutMs?: number } = {},
): RotaClient {
  const prefix = options.prefix ?? 'rota';
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const link = watchLink(connection);

  async function ask<T>(
    subject: string,
    body: unknown,
    extra: { waitMs?: number; by?: string; access?: 'read'; repeats?: boolean } = {},
  ): Promise<T> {
    if (!wellFormed.test(subject))
      throw new RotaError('INVALID_REQUEST', `no name that NATS carries: ${excerpt(oneLine(subject))}`);
    if (!link.up) throw new RotaError('SERVICE_UNAVAILABLE', `${natsIsLost}; reconnecting`);
    const text = JSON.stringify(body);
    const sent = sentHeaders(extra.by, extra.access);
    const send = async (timeout: number) => connection.request(`${prefix}.${subject}`, text, { timeout, ...sent });
    const timeout = timeoutMs + (extra.waitMs ?? 0);
    let reply: Msg;
    try {
      reply = await (extra.repeats === true ? repeating(send, timeout) : send(timeout));
    } catch (error) {
      throw requestError(error, `${prefix}.${subject}`);
    }
    if (reply.headers?.has('Nats-Service-Error-Code')) throw serviceError(reply);
    return reply.json<T>();
  }

  async function askInChunks(
    subject: string,
    key: string,
    items: readonly unknown[],
    extra: { repeats: boolean },
    beside: object = {},
  ): Promise<ItemResult[]> {
    const results: ItemResult[] = [];
    for (const part of chunksOf(items)) {
      results.push(...(await ask<{ results: ItemResult[] }>(subject, { [key]: part, ...beside }, extra)).results);
    }
    return results;
  }

  function push(scheduler: string, task: TaskPush): Promise<Task>;
  function push(scheduler: string, tasks: readonly TaskPush[], options?: PushSetOptions): Promise<ItemResult[]>;
  function push(
    scheduler: string,
    pushed: TaskPush | readonly TaskPush[],
    options?: PushSetOptions,
  ): Promise<Task | ItemResult[]> {
    const subject = `push.${scheduler}`;
    // With an id, a push whose answer was lost can be repeated: it is answered with the task that the first one made.
    const named = (task: TaskPush): TaskPush => ({ id: chance.timeOrderedUuid(), ...task });
    const extra = { repeats: true };
    return isList(pushed)
      ? askInChunks(subject, 'tasks', pushed.map(named), extra, options)
      : ask<Task>(subject, named(pushed), extra);
  }

  function patch(patch: StatusPatch): Promise<Task>;
  function patch(patches: readonly StatusPatch[]): Promise<ItemResult[]>;
  function patch(patched: StatusPatch | readonly StatusPatch[]): Promise<Task | ItemResult[]> {
    // The lease keeps a repeated patch from changing a task that has another holder by then.
    const extra = { repeats: true };
    return isList(patched)
      ? askInChunks('task.patch', 'patches', patched, extra)
      : ask<Task>('task.patch', patched, extra);
  }

  return {
    connection,
    push,
    patch,
    async pop(scheduler, request = {}) {
      const waitMs = request.wait_ms ?? 0;
      return (await ask<{ results: LeasedTask[] }>(`pop.${scheduler}`, request, { waitMs })).results;
    },
    async settleAndPop(scheduler, patches, request = {}) {
      return ask(`pop.${scheduler}`, { ...request, patches });
    },
    async get(lease) {
      return ask<Task>('task.get', { id: lease.id, lease_id: lease.lease_id }, { repeats: true }).catch(
        (error: unknown) => {
          if ((error as RotaError).code === 'NOT_FOUND') return null;
          throw error;
        },
      );
    },
    async heartbeat(leases, leaseMs) {
      const answer = { renewed: [] as string[], lost: [] as string[] };
      for (const part of chunksOf(leases)) {
        const body = { leases: part, ...(leaseMs === undefined ? {} : { lease_ms: leaseMs }) };
        const { renewed, lost } = await ask<typeof answer>('task.heartbeat', body, { repeats: true });
        answer.renewed.push(...renewed);
        answer.lost.push(...lost);
      }
      return answer;
    },
    async ctl(command, body = {}, { instance, by, access, timeoutMs: own } = {}) {
      const subject = instance === undefined ? `ctl.${command}` : `ctl.${instance}.${command}`;
      return ask(subject, body, {
        waitMs: own === undefined ? 0 : own - timeoutMs,
        ...(by === undefined ? {} : { by }),
        ...(access === undefined ? {} : { access }),
      });
    },
    async instances(withinMs = 1_000) {
      const everyone = connection.services.client({ strategy: RequestStrategy.Timer, maxWait: withinMs });
      const found: string[] = [];
      try {
        for await (const supervisor of await everyone.ping(prefix)) {
          found.push(supervisor.metadata?.['instance'] ?? supervisor.id);
        }
      } catch (error) {
        // 503: no supervisor listens.
        if (!(error instanceof NatsError && error.code === '503')) throw requestError(error, `ping of ${prefix}`);
      }
      // An unheard ping says nothing of who is there.
      if (!link.up) throw new RotaError('SERVICE_UNAVAILABLE', `${natsIsLost}; reconnecting`);
      return found.sort();
    },
    onLeft(left) {
      connection.subscribe(`${prefix}.left.*`, {
        callback: (error, { subject }) => {
          if (error === null) left(subject.slice(subject.lastIndexOf('.') + 1));
        },
      });
    },
    async close() {
      if (!connection.isClosed()) await connection.close();
    },
  };
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}
