import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { within } from '../deadline.ts';
import { codeOf, errorCodes, RotaError } from '../errors.ts';
import { inTrace } from '../mailbox/trace.ts';
import type { FilterRequest } from '../queue/filter/filter.ts';
import { excerpt } from '../printable.ts';
import { errorCode, errorLengths, type LeasedTask, type TaskError } from '../tasks/task.ts';
import type { RotaClient, StatusPatch } from './client.ts';
import { chunksOf } from './client-requests.ts';
import { createHolding, type Holding } from './holding.ts';
import { createReporter, type PatchReport, tell } from './reports.ts';

export interface WorkerOptions {
  readonly client: Pick<RotaClient, 'pop' | 'settleAndPop' | 'patch' | 'heartbeat'>;
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

/** Of one request. docs/workers.md */
const mostOfSet = 1_000;
const longestWaitMs = 5_000;

/** Pops with long polls and handles tasks until stopped (docs/workers.md). Survives outages; never rejects. */
export function runWorker(options: WorkerOptions): Worker {
  const { client, scheduler, concurrency } = options;
  const leaseMs = options.leaseMs ?? 60_000;
  const holding: Holding = createHolding({ client, leaseMs, onError: (error) => options.onError?.(error, null) });
  const report = createReporter(client);
  const backlog: LeasedTask[] = [];
  const stopping = new AbortController();
  const handling = new Set<Promise<void>>();
  /** Outcomes that go with the next pop, which begins as soon as there are some. */
  const outgoing: PatchReport[] = [];
  /** Whether the next pop may be some time off: one waits for a task, or failed. */
  let popWaits = false;
  /** Reports that could not go with a pop: a stop gives back nothing before they are told. */
  let alone: Promise<unknown> = Promise.resolve();
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
      if (room() <= 0) {
        // A group larger than the concurrency waits its turn: there is no next pop yet.
        sendAlone(outgoing.splice(0));
        await new Promise<void>((resolve) => (wakeFetcher = resolve));
        continue;
      }
      // What ends in the same turn goes with the same pop.
      if (outgoing.length > 0) await nextTurn();
      popWaits = outgoing.length === 0;
      try {
        const tasks = await popMore();
        pauseMs = pause.firstMs;
        for (const task of tasks) holding.add(task);
        backlog.push(...tasks);
        if (!stopping.signal.aborted) startWaiting();
      } catch (error) {
        popWaits = true;
        options.onError?.(error, null);
        await pauseOf(pauseMs * (0.5 + Math.random()), stopping.signal);
        pauseMs = Math.min(pauseMs * 2, pause.longestMs);
      }
      popWaits = false;
    }
    sendAlone(outgoing.splice(0));
    await within(alone, options.waitMs ?? longestWaitMs).catch(() => {});
  }

  function room(): number {
    return concurrency - (handling.size - outgoing.length) - backlog.length;
  }

  async function popMore(): Promise<readonly LeasedTask[]> {
    const request = {
      limit: Math.min(room(), mostOfSet),
      lease_ms: leaseMs,
      ...(options.filters === undefined ? {} : { filters: options.filters }),
      ...(options.name === undefined ? {} : { worker: options.name }),
    };
    if (outgoing.length === 0) return client.pop(scheduler, { ...request, wait_ms: options.waitMs ?? longestWaitMs });
    // As many as one request of patches has: their errors may be long.
    const [patches = []] = chunksOf(outgoing.map(({ patch }) => patch)) as Iterable<StatusPatch[]>;
    const set = outgoing.splice(0, patches.length);
    try {
      const { results, settled } = await client.settleAndPop(scheduler, patches, request);
      tell(set, settled);
      return results;
    } catch (error) {
      // It says nothing of them.
      sendAlone(set);
      throw error;
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
    const patch = { id: task.id, lease_id: task.lease_id, ...outcome };
    // A request is of one trace.
    let goes = outcome.status !== 'running' && task.traceparent === undefined ? withNextPop : report;
    for (let pauseMs = pause.firstMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, pause.longestMs)) {
      try {
        await goes(patch);
        return true;
      } catch (error) {
        if (errorCodes[codeOf(error)].family !== 'busy') {
          options.onError?.(error, task);
          return false;
        }
        goes = report;
        await pauseOf(pauseMs, signal);
      }
    }
    return false;
  }

  function sendAlone(set: readonly PatchReport[]): void {
    alone = Promise.allSettled([
      alone,
      ...set.map(({ patch, resolve, reject }) => report(patch).then(resolve, reject)),
    ]);
  }

  /** By itself where the next pop may be some time off. */
  async function withNextPop(patch: StatusPatch): Promise<void> {
    if (popWaits || stopping.signal.aborted) return report(patch);
    return new Promise((resolve, reject) => {
      outgoing.push({ patch, resolve, reject });
      wakeFetcher();
    });
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

function pauseOf(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal }).catch(() => {});
}
