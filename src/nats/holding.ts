import { codeOf, errorCodes, RotaError } from '../errors.ts';
import { firstLeaseMs } from '../queue/queue.ts';
import type { LeasedTask } from '../tasks/task.ts';
import type { RotaClient } from './client.ts';

/**
 * The leases that a worker holds. It renews all of them in one heartbeat at every third of their length, or of the first minute
 * (all that a lease has until its holder's first word), and aborts the signal of a task whose lease the service calls lost.
 * Silence loses no lease: those that could not be renewed while Rota, its database or NATS was away are spared
 * (docs/queue-semantics.md, "Gaps"). Where only this worker was cut off, the lease in its report shows that it is not the holder
 * any more.
 */
export interface Holding {
  readonly size: number;
  add(task: LeasedTask): void;
  /** Aborts when the lease is lost. */
  signalOf(task: LeasedTask): AbortSignal;
  drop(task: LeasedTask): void;
  /** Aborts everything held. @returns what was held. */
  abortAll(reason: RotaError): LeasedTask[];
  close(): void;
}

interface HeldTask {
  readonly task: LeasedTask;
  readonly control: AbortController;
}

/** After a failed heartbeat the next comes in a twelfth of a lease, and in no more than this: in time after an outage. */
const longestPauseMs = 1_000;

export function createHolding(options: {
  client: Pick<RotaClient, 'heartbeat'>;
  leaseMs: number;
  /** Gets the error of the first failed heartbeat, and no other until one was answered. */
  onError: (error: unknown) => void;
}): Holding {
  const { client, leaseMs } = options;
  /** By lease: a task that was lost may come back to the same worker under another one. */
  const held = new Map<string, HeldTask>();
  // Independent of the heartbeat before: one whose answer never comes delays no other.
  const beat = setInterval(() => void renew(), Math.min(leaseMs, firstLeaseMs) / 3);
  let repeat: NodeJS.Timeout | undefined;
  let failing = false;
  let closed = false;

  return {
    get size() {
      return held.size;
    },
    add(task) {
      held.set(task.lease_id, { task, control: new AbortController() });
    },
    signalOf(task) {
      return held.get(task.lease_id)?.control.signal ?? AbortSignal.abort();
    },
    drop(task) {
      held.delete(task.lease_id);
    },
    abortAll(reason) {
      const all = [...held.values()];
      for (const entry of all) entry.control.abort(reason);
      return all.map((entry) => entry.task);
    },
    close() {
      closed = true;
      clearInterval(beat);
      clearTimeout(repeat);
    },
  };

  async function renew(): Promise<void> {
    const asked = [...held.values()];
    if (asked.length === 0) return;
    try {
      const leases = asked.map(({ task }) => ({ id: task.id, lease_id: task.lease_id }));
      const answer = await client.heartbeat(leases, leaseMs);
      failing = false;
      const lost = new Set(answer.lost);
      for (const entry of asked) if (lost.has(entry.task.id)) lose(entry);
    } catch (error) {
      if (!failing) options.onError(error);
      failing = true;
      if (errorCodes[codeOf(error)].family === 'busy') renewAgain(codeOf(error) === 'ASK_TIMEOUT');
    }
  }

  /** At once after a timeout: that took long enough, and another supervisor may answer. */
  function renewAgain(atOnce: boolean): void {
    if (closed) return;
    clearTimeout(repeat);
    const pauseMs = Math.min(leaseMs / 12, longestPauseMs) * (0.5 + Math.random() / 2);
    repeat = setTimeout(() => void renew(), atOnce ? 0 : pauseMs);
  }

  function lose(entry: HeldTask): void {
    held.delete(entry.task.lease_id);
    entry.control.abort(new RotaError('LEASE_LOST', 'the lease is lost: another worker may have the task'));
  }
}
