import { setTimeout as delay } from 'node:timers/promises';
import { within } from '../deadline.ts';
import { codeOf, errorCodes, RotaError } from '../errors.ts';
import { currentTrace, inTrace } from '../mailbox/trace.ts';
import type { FilterRequest } from '../queue/filter/filter.ts';
import { excerpt } from '../printable.ts';
import { errorCode, errorLengths, type LeasedTask, type TaskError } from '../tasks/task.ts';
import type { RotaClient, StatusPatch } from './client.ts';
import { createHolding, type Holding } from './holding.ts';

export interface WorkerOptions {
  readonly client: Pick<RotaClient, 'pop' | 'patch' | 'heartbeat'>;
  readonly scheduler: string;
  /** Tasks handled at once. A deduplicated group may bring more: they wait here, and their leases are renewed. */
  readonly concurrency: number;
  readonly filters?: FilterRequest;
  /** 60 s where absent. Renewed at every third of it. */
  readonly leaseMs?: number;
  /** How long one pop waits, 5 s where absent; also how long a stop of an idle worker takes at most. */
  readonly waitMs?: number;
  /** Shown to operators beside the lease. */
  readonly name?: string;
  /**
   * Does the work. Resolves: completed. Rejects: failed. `signal` aborts when the lease is lost or the worker stops;
   * the result of the call is ignored then, since another worker will do the task. Runs in the task's trace, where it has one,
   * as do the patches before and after it.
   */
  handle(task: LeasedTask, signal: AbortSignal): Promise<unknown>;
  /** Gets every error that the worker survived: a handler's, an outage. */
  onError?(error: unknown, task: LeasedTask | null): void;
}

export interface Worker {
  /** Pops no more; waits up to `finishMs` (0 where absent) for handlers, then gives back the tasks in hand. */
  stop(options?: { finishMs?: number }): Promise<void>;
  /** Tasks in hand. */
  inHand(): number;
}

/** First and longest pause after a failed pop: in an outage the workers must not hammer the server. */
const pause = { firstMs: 100, longestMs: 5_000 };

/** Pops with long polls and handles tasks until stopped (docs/workers.md). Survives outages; never rejects. */
export function runWorker(options: WorkerOptions): Worker {
  const { client, scheduler, concurrency } = options;
  const leaseMs = options.leaseMs ?? 60_000;
  const holding: Holding = createHolding({ client, leaseMs, onError: (error) => options.onError?.(error, null) });
  const report = createReporter(client);
  const backlog: LeasedTask[] = [];
  const stopping = new AbortController();
  const handling = new Set<Promise<void>>();
  let wakeFetcher = () => {};
  const fetching = fetchUntilStopped();

  return {
    async stop({ finishMs = 0 } = {}) {
      stopping.abort();
      wakeFetcher();
      await fetching;
      await giveBack(backlog.splice(0));
      if (finishMs > 0) await within(Promise.allSettled(handling), finishMs).catch(() => {});
      await giveBack(holding.abortAll(new RotaError('DRAINING', 'worker stops')));
      holding.close();
    },
    inHand: () => holding.size,
  };

  async function fetchUntilStopped(): Promise<void> {
    let pauseMs = pause.firstMs;
    while (!stopping.signal.aborted) {
      const free = concurrency - handling.size - backlog.length;
      if (free <= 0) {
        await new Promise<void>((resolve) => (wakeFetcher = resolve));
        continue;
      }
      try {
        const tasks = await client.pop(scheduler, {
          limit: free,
          wait_ms: options.waitMs ?? 5_000,
          lease_ms: leaseMs,
          ...(options.filters === undefined ? {} : { filters: options.filters }),
          ...(options.name === undefined ? {} : { worker: options.name }),
        });
        pauseMs = pause.firstMs;
        for (const task of tasks) holding.add(task);
        backlog.push(...tasks);
        if (!stopping.signal.aborted) startWaiting();
      } catch (error) {
        options.onError?.(error, null);
        await pauseOf(pauseMs * (0.5 + Math.random()), stopping.signal);
        pauseMs = Math.min(pauseMs * 2, pause.longestMs);
      }
    }
  }

  function startWaiting(): void {
    while (handling.size < concurrency && backlog.length > 0) {
      const work: Promise<void> = inTraceOf(backlog.shift()!, handleOne).finally(() => {
        handling.delete(work);
        if (!stopping.signal.aborted) startWaiting();
        wakeFetcher();
      });
      handling.add(work);
    }
  }

  async function handleOne(task: LeasedTask): Promise<void> {
    const signal = holding.signalOf(task);
    if (!(await settle(task, { status: 'running' }, signal))) return holding.drop(task);
    const outcome = await attempt(task, signal).then(
      () => ({ status: 'completed' }) as const,
      (error: unknown) => {
        if (!signal.aborted) options.onError?.(error, task);
        return { status: 'failed', error: errorOf(error) } as const;
      },
    );
    if (!signal.aborted) await settle(task, outcome, signal);
    holding.drop(task);
  }

  /** A handler that throws before its first await fails its task, too. */
  async function attempt(task: LeasedTask, signal: AbortSignal): Promise<unknown> {
    return options.handle(task, signal);
  }

  /** Tries again while the service is busy and the lease is still ours. @returns whether the patch was accepted. */
  async function settle(task: LeasedTask, outcome: Pick<StatusPatch, 'status' | 'error'>, signal: AbortSignal) {
    for (let pauseMs = pause.firstMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, pause.longestMs)) {
      try {
        await report({ id: task.id, lease_id: task.lease_id, ...outcome });
        return true;
      } catch (error) {
        if (errorCodes[codeOf(error)].family !== 'busy') {
          options.onError?.(error, task);
          return false;
        }
        await pauseOf(pauseMs, signal);
      }
    }
    return false;
  }

  /** Tasks that cannot be given back now come back when their leases expire. */
  async function giveBack(tasks: readonly LeasedTask[]): Promise<void> {
    if (tasks.length === 0) return;
    for (const task of tasks) holding.drop(task);
    const patches = tasks.map((task) => ({ id: task.id, lease_id: task.lease_id, status: 'queued' as const }));
    await client.patch(patches).catch((error: unknown) => options.onError?.(error, null));
  }
}

/** What the supervisor keeps of a handler's error: it cuts both texts. One of 1 MB would not fit into a message. */
function errorOf(error: unknown): TaskError {
  const { code, message, stack } =
    error instanceof Error ? (error as Error & { code?: unknown }) : { message: String(error) };
  return {
    ...(typeof code === 'string' && errorCode.test(code) ? { code } : {}),
    message: excerpt(message, errorLengths.message),
    ...(stack === undefined ? {} : { detail: excerpt(stack, errorLengths.detail) }),
  };
}

function inTraceOf<T>(task: LeasedTask, work: (task: LeasedTask) => T): T {
  return task.traceparent === undefined ? work(task) : inTrace(task.traceparent, () => work(task));
}

/** A patch to send, and the callers that wait for its result. */
interface PatchReport {
  readonly patch: StatusPatch;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Settles in sets: what becomes ready in one turn of the event loop goes in one request, or in one for each trace of the tasks.
 * Always as a set, whose answer has no tasks: Postgres would read them for nothing.
 */
function createReporter(client: Pick<RotaClient, 'patch'>): (patch: StatusPatch) => Promise<void> {
  const ready = new Map<string, PatchReport[]>();
  return (patch) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const trace = currentTrace();
    const set = ready.get(trace);
    if (set !== undefined) set.push({ patch, resolve, reject });
    else {
      const begun = [{ patch, resolve, reject }];
      ready.set(trace, begun);
      // Runs in the trace of the set, since a patch of that trace schedules it.
      setImmediate(() => {
        ready.delete(trace);
        void send(begun);
      });
    }
    return promise;
  };

  async function send(set: readonly PatchReport[]): Promise<void> {
    try {
      const results = await client.patch(set.map(({ patch }) => patch));
      for (const [at, { resolve, reject }] of set.entries()) {
        const result = results[at]!;
        if ('error' in result) reject(new RotaError(result.error.code, result.error.detail));
        else resolve();
      }
    } catch (error) {
      for (const { reject } of set) reject(error);
    }
  }
}

function pauseOf(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal }).catch(() => {});
}
