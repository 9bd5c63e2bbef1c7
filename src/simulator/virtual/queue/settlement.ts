import { freeOfCharge, perSweep } from '../../../queue/settle/leases.ts';
import { fairCost, isFinished, type TaskStatus } from '../../../tasks/task.ts';
import { chance } from '../../../time-and-chance.ts';
import { Gaps } from './gaps.ts';
import type { SimulatedQueue } from './simulated-queue.ts';
import type { Flow, Row } from './rows.ts';

/** A patch as settle.sql judges it. `rota`: by Rota itself, which has no holder and gives way to a queued twin. */
export interface Change {
  readonly id: string;
  /** Null where the patch names none. */
  readonly leaseId: string | null;
  readonly status: TaskStatus;
  readonly rota?: boolean;
  /** It counts as no attempt. */
  readonly unclaimed?: boolean;
  readonly unbegun?: boolean;
  readonly reason?: string;
  /** In place of the rank that it was popped with. */
  readonly rank?: number;
}

export type Outcome = 'done' | 'repeated' | 'NOT_FOUND' | 'LEASE_LOST' | 'CONFLICT';

interface SettlementOptions {
  readonly queue: SimulatedQueue;
  readonly maxAttempts: number;
  readonly retryMs: number;
  readonly gracePeriodSeconds: number;
}

/** Between looks for virtual times that are of no use any more, as of leases.ts. */
const forgetMs = 60_000;

/** The statements of src/queue/settle on the queue in memory: what becomes of tasks that were handed out. */
export class Settlement {
  readonly #options: SettlementOptions;
  readonly #gaps = new Gaps();
  #forgotAt: number | null = null;

  constructor(options: SettlementOptions) {
    this.#options = options;
  }

  /** One patch. */
  apply(change: Change): Outcome {
    const { queue } = this.#options;
    const row = queue.byId.get(change.id);
    if (row === undefined) return 'NOT_FOUND';
    const { leaseId, status } = change;
    if (leaseId !== null && leaseId === row.settledBy && isRepeat(row.status, status)) return 'repeated';
    if (leaseId !== null && leaseId !== row.lease?.id) return 'LEASE_LOST';
    if (leaseId === null && row.lease?.via === 'nats' && status !== 'cancelled') return 'LEASE_LOST';
    if (isFinished(row.status) && status !== row.status && status !== 'queued') return 'CONFLICT';
    if (status === row.status) {
      row.modifiedAt = queue.options.now();
      if (status === 'running' || status === 'dispatched') this.#begin(row);
      return 'done';
    }
    if (status !== 'queued') {
      this.#become(row, status, change);
      return 'done';
    }
    if (!queue.of(row.scheduler).rows.byHash.has(row.hash)) this.#requeue(row, change);
    else if (change.rota === true) this.#become(row, 'cancelled', { ...change, reason: 'superseded' });
    else return 'CONFLICT';
    return 'done';
  }

  #become(row: Row, status: TaskStatus, change: Change): void {
    const { leaseId, rota, reason } = change;
    const { queue } = this.#options;
    const now = queue.options.now();
    const was = row.status;
    const isUnderWay = status === 'running' || status === 'dispatched';
    if (was === 'queued') queue.of(row.scheduler).rows.remove(row);
    if (!isUnderWay) queue.limits.left(row);
    else if (was === 'queued') queue.limits.taken(row);
    uncount(row, change);
    row.status = status;
    row.modifiedAt = now;
    row.reason = reason ?? null;
    if (isUnderWay) this.#begin(row);
    else {
      row.settledBy = rota === true ? null : leaseId;
      row.lease = null;
      queue.leases.delete(row);
    }
    queue.options.happened.changed(row, was);
  }

  /** Its holder has reported: over NATS its lease has the length that was asked for; over REST, or without a claim, a grace period. */
  #begin(row: Row): void {
    const { queue, gracePeriodSeconds } = this.#options;
    const now = queue.options.now();
    if (row.lease?.via === 'nats') {
      const { lease } = row;
      if (lease.askedMs !== null) [lease.until, lease.renewedAt] = [now + lease.askedMs, now];
      lease.askedMs = null;
      lease.begun = true;
      return;
    }
    const until = now + gracePeriodSeconds * 1_000;
    if (row.lease === null) {
      const id = chance.uuid();
      row.lease = { id, via: 'rest', worker: null, rank: null, until, renewedAt: now, askedMs: null, begun: true };
      queue.leases.add(row);
    } else Object.assign(row.lease, { until, renewedAt: now, begun: true });
  }

  #requeue(row: Row, change: Change): void {
    const { queue } = this.#options;
    const { rows } = queue.of(row.scheduler);
    const was = row.status;
    const finished = isFinished(was);
    const dealt = finished ? this.#deal([row]).get(row) : change.rank;
    row.rank = dealt ?? row.lease?.rank ?? row.rank;
    if (finished) [row.attempts, row.unbegun] = [0, 0];
    else uncount(row, change);
    row.settledBy = change.rota === true ? null : change.leaseId;
    row.status = 'queued';
    row.modifiedAt = queue.options.now();
    row.reason = null;
    row.lease = null;
    queue.leases.delete(row);
    queue.limits.left(row);
    row.held = queue.isHeld(row.scheduler, row.organisation, row.plugin);
    rows.add(row);
    if (row.held) queue.limits.arrived(row);
    queue.options.happened.changed(row, was);
    queue.options.happened.queued(row, true);
  }

  /** @returns the ids of those that are renewed; the others are lost */
  heartbeat(held: readonly { readonly id: string; readonly leaseId: string }[], leaseMs: number | null): string[] {
    const { queue } = this.#options;
    const now = queue.options.now();
    return held.flatMap(({ id, leaseId }) => {
      const lease = queue.byId.get(id)?.lease;
      if (lease?.id !== leaseId) return [];
      lease.until = now + (leaseMs ?? lease.askedMs ?? lease.until - lease.renewedAt);
      lease.renewedAt = now;
      lease.askedMs = null;
      lease.begun = true;
      return [id];
    });
  }

  /** What a supervisor does each second: Sweeper of src/queue/settle/leases.ts. */
  round(): void {
    const { queue } = this.#options;
    const now = queue.options.now();
    if (this.#forgotAt === null || Math.abs(now - this.#forgotAt) > forgetMs) {
      for (const { fair } of queue.schedulers()) fair.forget();
      this.#forgotAt = now;
    }
    this.present();
    this.#sweep();
  }

  /** This supervisor can record heartbeats at this moment. */
  present(): void {
    this.#gaps.heard(this.#options.queue.options.now());
  }

  /** Ends expired leases: sweep-find.sql and sweep-look.sql. */
  #sweep(): void {
    const { queue, maxAttempts } = this.#options;
    const now = queue.options.now();
    const expired: Row[] = [];
    for (const row of queue.leases) if (row.lease!.until < now && this.#isDue(row, now)) expired.push(row);
    expired.sort((a, b) => a.lease!.until - b.lease!.until || a.number - b.number);
    // Of two of one hash the older one goes back.
    const swept = expired.slice(0, perSweep).toSorted((a, b) => a.number - b.number);
    const changes = swept.map((row) => {
      const lease = row.lease!;
      const unbegun = !lease.begun && row.status === 'dispatched';
      const unclaimed = (unbegun && row.unbegun < freeOfCharge) || this.#gaps.took(row.lease!);
      const by = { id: row.id, leaseId: lease.id, rota: true, unbegun, unclaimed };
      if (row.attempts >= maxAttempts && !unclaimed)
        return { ...by, status: 'failed', reason: 'lease-expired' } as const;
      return { ...by, status: 'queued' } as const;
    });
    const behind = swept.filter((_row, at) => changes[at]!.status === 'queued' && !changes[at]!.unclaimed);
    const ranks = this.#deal(behind);
    for (const [at, change] of changes.entries()) {
      const rank = ranks.get(swept[at]!);
      this.apply(rank === undefined ? change : { ...change, rank });
    }
  }

  /** Ranks as if they were pushed now, before any of them is queued: Deal of src/queue/push/requeue.ts. */
  #deal(again: readonly Row[]): ReadonlyMap<Row, number> {
    const { queue } = this.#options;
    const last = new Map<Flow, number>();
    const ranks = new Map<Row, number>();
    for (const row of again) {
      if (!queue.options.policyOf(row.scheduler).fair) continue;
      const { rows, fair } = queue.of(row.scheduler);
      const flow = rows.flowOf(row.organisation, row.image, row.manual);
      const rank = (last.get(flow) ?? fair.startOf(flow)) + fair.stepOf(flow, fairCost);
      last.set(flow, rank);
      ranks.set(row, rank);
    }
    return ranks;
  }

  #isDue(row: Row, now: number): boolean {
    const { maxAttempts, retryMs } = this.#options;
    const lease = row.lease!;
    if (this.#gaps.spares(lease, now)) return false;
    return (
      row.attempts >= maxAttempts ||
      lease.until < now - row.attempts * retryMs ||
      (!lease.begun && row.status === 'dispatched' && row.unbegun < freeOfCharge) ||
      this.#gaps.took(row.lease!)
    );
  }
}

/** A claim that reached no worker, or that none began. */
function uncount(row: Row, { unclaimed, unbegun }: Change): void {
  if (unclaimed === true) row.attempts = Math.max(0, row.attempts - 1);
  if (unbegun === true) row.unbegun += 1;
}

function isRepeat(was: TaskStatus, becomes: TaskStatus): boolean {
  if (becomes === 'queued') return was === 'queued' || was === 'dispatched' || was === 'running';
  return becomes === was && isFinished(was);
}
