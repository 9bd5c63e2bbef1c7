import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, errorCodes } from '../errors.ts';
import type { RotaClient } from '../nats/client.ts';
import type { LeasedTask, TaskError } from '../tasks/task.ts';
import type { LeaseRecord } from './measures.ts';

export type TaskClient = Pick<RotaClient, 'pop' | 'patch' | 'heartbeat'>;

/** How the work on a task ended. */
export type Outcome = 'completed' | { readonly failed: TaskError };

export interface SimulatedWorker {
  readonly name: string;
  readonly scheduler: string;
  readonly client: TaskClient;
  readonly ledger: LeaseRecord;
  readonly leaseMs: number;
  /** How long one pop waits, also on a supervisor that was killed. */
  readonly waitMs: number;
  /** Does the work; a worker that dies never calls it. */
  perform(task: LeasedTask): Promise<Outcome>;
  /** Whether it dies over this unit: no heartbeat and no report from then on. */
  dies(): boolean;
  onWaiting(waiting: boolean): void;
  onHandlerStarted(task: LeasedTask): void;
  /** Milliseconds from when the pop could have been served to its answer. */
  onPopServed(ms: number): void;
  readonly signal: AbortSignal;
}

/** Between tries of a pop or patch that could not be served: supervisors come back within seconds. */
const pauseMs = 100;

/**
 * Pops one unit at a time, works, reports, and enters what it was given in the ledger. Unlike a real worker
 * (src/nats/worker.ts) it can die on command, and it checks the service that it works for.
 *
 * @returns how it ended.
 */
export async function runSimulatedWorker(worker: SimulatedWorker): Promise<'stopped' | 'died'> {
  while (!worker.signal.aborted) {
    const unit = await pop(worker);
    if (unit.length === 0) continue;
    if (worker.dies()) {
      for (const task of unit) worker.onHandlerStarted(task);
      await settle(worker, unit[0]!, 'running');
      return 'died';
    }
    const beat = setInterval(() => void heartbeat(worker, unit), worker.leaseMs / 3);
    try {
      for (const task of unit) await handle(worker, task);
    } finally {
      clearInterval(beat);
    }
  }
  return 'stopped';
}

async function pop(worker: SimulatedWorker): Promise<readonly LeasedTask[]> {
  const { client, scheduler, leaseMs, waitMs, ledger, signal } = worker;
  worker.onWaiting(true);
  const stopped = aborted(signal);
  const sent = epochMs();
  try {
    const popped = client.pop(scheduler, { limit: 1, wait_ms: waitMs, lease_ms: leaseMs, worker: worker.name });
    const unit = await Promise.race([popped, stopped.promise]);
    const answered = epochMs();
    for (const task of unit) {
      const leaseUntil = Date.parse(task.lease_until);
      const { id, lease_id: lease, attempts } = task;
      ledger.handedOut({ task: id, scheduler, lease, leaseUntil, grantedAt: leaseUntil - leaseMs, attempts });
    }
    // Only a first claim: when a task that came back was free again, only the sweeper knows.
    const [head] = unit;
    if (head?.attempts === 1) worker.onPopServed(Math.max(0, answered - Math.max(sent, Date.parse(head.created_at))));
    return unit;
  } catch {
    await delay(pauseMs, undefined, { signal }).catch(() => {});
    return [];
  } finally {
    stopped.forget();
    worker.onWaiting(false);
  }
}

async function handle(worker: SimulatedWorker, task: LeasedTask): Promise<void> {
  worker.onHandlerStarted(task);
  if (!(await settle(worker, task, 'running'))) return;
  const outcome = await worker.perform(task).catch((error: unknown): Outcome => ({ failed: errorOf(error) }));
  if (outcome === 'completed') await settle(worker, task, 'completed');
  else await settle(worker, task, 'failed', outcome.failed);
}

/** Repeats until the service has taken the status or answers that the lease is lost. @returns whether it was taken. */
async function settle(
  worker: SimulatedWorker,
  task: LeasedTask,
  status: 'running' | 'completed' | 'failed',
  error?: TaskError,
) {
  const { client, ledger, signal } = worker;
  for (;;) {
    try {
      await client.patch({ id: task.id, lease_id: task.lease_id, status, ...(error === undefined ? {} : { error }) });
      if (status !== 'running') ledger.settled(task.lease_id, status);
      return true;
    } catch (error) {
      const { family } = errorCodes[codeOf(error)];
      if (family === 'lost' || family === 'refused') {
        ledger.settled(task.lease_id, 'lost');
        return false;
      }
      if (signal.aborted) return false;
      await delay(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}

function errorOf(error: unknown): TaskError {
  return { code: 'worker', message: error instanceof Error ? error.message : String(error) };
}

/** A heartbeat that fails is followed by another; a lease that is lost shows when the task is settled. */
async function heartbeat({ client, leaseMs, ledger }: SimulatedWorker, unit: readonly LeasedTask[]): Promise<void> {
  const sentAt = epochMs();
  const leases = unit.map(({ id, lease_id }) => ({ id, lease_id }));
  const { renewed } = await client.heartbeat(leases, leaseMs).catch(() => ({ renewed: [] as string[] }));
  for (const task of unit) if (renewed.includes(task.id)) ledger.renewed(task.lease_id, sentAt, leaseMs);
}

/** Epoch milliseconds with fractions, to set beside the database's timestamps on the same machine. */
function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

/** An empty unit once the signal is aborted. The signal outlives thousands of pops: each removes its listener. */
function aborted(signal: AbortSignal): { promise: Promise<readonly LeasedTask[]>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<readonly LeasedTask[]>();
  const stop = () => resolve([]);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
  return { promise, forget: () => signal.removeEventListener('abort', stop) };
}
