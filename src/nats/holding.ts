import { codeOf, errorCodes, RotaError } from '../errors.ts';
import { firstLeaseMs } from '../queue/queue.ts';
import type { LeasedTask } from '../tasks/task.ts';
import type { RotaClient } from './client.ts';

/**
 * The leases a worker holds: renews all of them in one heartbeat at every third of their length, or of the first minute, which
 * is all that a lease has until its holder speaks; and aborts the signal
 * of a task whose lease the service calls lost. Silence takes nothing away: what no heartbeat could renew while Rota, its
 * database or NATS was away is spared (docs/queue-semantics.md, "Gaps"), and where only this worker was cut off, the lease
 * tells its report from that of whoever has the task by then.
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
}

/** A twelfth of a lease, and no more than this, after a heartbeat that failed: after an outage the turn must not come too late. */
const longestPauseMs = 1_000;

export function createHolding(options: {
  client: Pick<RotaClient, 'heartbeat'>;
  leaseMs: number;
  /** Told of the first heartbeat that fails, and of no further one until one was answered. */
  onError: (error: unknown) => void;
}): Holding {
  const { client, leaseMs } = options;
  /** By lease: a task that was lost may come back to the same worker under another one. */
  const held = new Map<string, Held>();
  // Whatever became of the heartbeat before: one whose answer never comes holds up no other.
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

  /** At once where nothing was heard at all: that took long enough, and another supervisor may be there to ask. */
  function renewAgain(atOnce: boolean): void {
    if (closed) return;
    clearTimeout(repeat);
    const pauseMs = Math.min(leaseMs / 12, longestPauseMs) * (0.5 + Math.random() / 2);
    repeat = setTimeout(() => void renew(), atOnce ? 0 : pauseMs);
  }

  function lose(entry: Held): void {
    held.delete(entry.task.lease_id);
    entry.control.abort(new RotaError('LEASE_LOST', 'the lease is lost: somebody else has the task'));
  }
}
