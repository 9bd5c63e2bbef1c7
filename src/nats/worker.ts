import { codeOf, errorCodes, RotaError } from '../errors.ts';
import { inTrace } from '../mailbox/trace.ts';
import type { FilterRequest } from '../queue/filter/filter.ts';
import type { LeasedTask } from '../tasks/task.ts';
import type { RotaClient } from './client.ts';
import { createHolding, type Holding } from './holding.ts';

export interface WorkerOptions {
  readonly client: Pick<RotaClient, 'pop' | 'patch' | 'heartbeat'>;
  readonly scheduler: string;
  /** Tasks handled at once. A deduplicated group may bring more: they wait here, their leases kept. */
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
   * what becomes of the call then is ignored, since somebody else will do the task. Runs in the task's trace, where it has
   * one, as do the patches before and after it.
   */
  handle(task: LeasedTask, signal: AbortSignal): Promise<unknown>;
  /** Told of whatever went wrong and was survived: a handler's error, an outage. */
  onError?(error: unknown, task: LeasedTask | null): void;
}

export interface Worker {
  /** Pops no more; waits up to `finishMs` (0 where absent) for handlers, then gives back what is in hand. */
  stop(options?: { finishMs?: number }): Promise<void>;
  /** Tasks in hand. */
  inHand(): number;
}

/** First and longest pause after a pop that failed: an outage must not make every worker hammer the server. */
const pause = { firstMs: 100, longestMs: 5_000 };

/** Pops with long polls and handles tasks until stopped (docs/workers.md). Survives outages; never rejects. */
export function runWorker(options: WorkerOptions): Worker {
  const { client, scheduler, concurrency } = options;
  const leaseMs = options.leaseMs ?? 60_000;
  const holding: Holding = createHolding({ client, leaseMs, onError: (error) => options.onError?.(error, null) });
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
      if (finishMs > 0) await within(finishMs, Promise.allSettled(handling));
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
        await interruptible(pauseMs * (0.5 + Math.random()), stopping.signal);
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
    if (!(await settle(task, 'running', signal))) return holding.drop(task);
    const status = await attempt(task, signal).then(
      () => 'completed' as const,
      (error: unknown) => {
        if (!signal.aborted) options.onError?.(error, task);
        return 'failed' as const;
      },
    );
    if (!signal.aborted) await settle(task, status, signal);
    holding.drop(task);
  }

  /** A handler that throws before its first await fails its task, too. */
  async function attempt(task: LeasedTask, signal: AbortSignal): Promise<unknown> {
    return options.handle(task, signal);
  }

  /** Tries again while the fault is the service's and the lease still ours. @returns whether it was taken. */
  async function settle(task: LeasedTask, status: 'running' | 'completed' | 'failed', signal: AbortSignal) {
    for (let pauseMs = pause.firstMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, pause.longestMs)) {
      try {
        await client.patch({ id: task.id, lease_id: task.lease_id, status });
        return true;
      } catch (error) {
        if (errorCodes[codeOf(error)].family !== 'busy') {
          options.onError?.(error, task);
          return false;
        }
        await interruptible(pauseMs, signal);
      }
    }
    return false;
  }

  /** What cannot be given back now comes back when its lease expires. */
  async function giveBack(tasks: readonly LeasedTask[]): Promise<void> {
    if (tasks.length === 0) return;
    for (const task of tasks) holding.drop(task);
    const patches = tasks.map((task) => ({ id: task.id, lease_id: task.lease_id, status: 'queued' as const }));
    await client.patch(patches).catch((error: unknown) => options.onError?.(error, null));
  }
}

function inTraceOf<T>(task: LeasedTask, work: (task: LeasedTask) => T): T {
  return task.traceparent === undefined ? work(task) : inTrace(task.traceparent, () => work(task));
}

function interruptible(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
