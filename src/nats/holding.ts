import { RotaError } from '../errors.ts';
import type { LeasedTask } from '../tasks/task.ts';
import type { RotaClient } from './client.ts';

/**
 * The leases a worker holds: renews all of them in one heartbeat at every third of their length, and aborts the signal
 * of a task whose lease is lost, be it that the service says so or that no heartbeat got through for a whole lease.
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

interface Held {
  readonly task: LeasedTask;
  readonly control: AbortController;
  /** By this machine's monotonic clock, counted from before the request: never later than the service's own. */
  until: number;
}

export function createHolding(options: {
  client: Pick<RotaClient, 'heartbeat'>;
  leaseMs: number;
  onError: (error: unknown) => void;
}): Holding {
  const { client, leaseMs } = options;
  /** By lease: a task that was lost may come back to the same worker under another one. */
  const held = new Map<string, Held>();
  const beat = setInterval(() => void renew(), leaseMs / 3);

  return {
    get size() {
      return held.size;
    },
    add(task) {
      held.set(task.lease_id, { task, control: new AbortController(), until: performance.now() + leaseMs });
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
      clearInterval(beat);
    },
  };

  async function renew(): Promise<void> {
    const began = performance.now();
    for (const entry of held.values()) if (entry.until <= began) lose(entry);
    const asked = [...held.values()];
    if (asked.length === 0) return;
    try {
      const leases = asked.map(({ task }) => ({ id: task.id, lease_id: task.lease_id }));
      const answer = await client.heartbeat(leases, leaseMs);
      const lost = new Set(answer.lost);
      for (const entry of asked) {
        if (lost.has(entry.task.id)) lose(entry);
        else entry.until = began + leaseMs;
      }
    } catch (error) {
      options.onError(error);
    }
  }

  function lose(entry: Held): void {
    held.delete(entry.task.lease_id);
    entry.control.abort(new RotaError('LEASE_LOST', 'the lease is lost: somebody else has the task'));
  }
}
