import { RotaError } from '../../errors.ts';
import { emit } from '../../telemetry/events.ts';
import type { ClaimRow, ClaimStatement, Want } from './claim.ts';
import type { ClaimedTask, PopRequest } from '../queue.ts';

/** One pop, from its arrival to its answer. */
export interface Waiter {
  readonly request: PopRequest;
  /** performance.now() at which it stops waiting. */
  deadline: number;
  readonly answer: (tasks: readonly ClaimedTask[]) => void;
  readonly refuse: (error: unknown) => void;
  /** It has parked: if it waits, it does so because of a wake. */
  looked: boolean;
  state: 'waiting' | 'claiming' | 'parked' | 'answered';
  /** Ends its timer and its listener: called when it is answered, since its requester may outlive that. */
  unwatch: () => void;
}

/** Pops with the identical filter: only they can share a claim. */
export interface Line {
  readonly key: string;
  readonly statement: ClaimStatement;
  /** Oldest first; whoever is not answered yet, in whatever state. */
  readonly waiters: Waiter[];
  /** Counts wakes: a claim whose snapshot is older than the last one may have missed what was queued. */
  wakes: number;
  inFlight: number;
}

/** How long past its deadline a requester waits for its answer: as long as our own client. */
export const patienceMs = 10_000;

/** Those who wait, oldest first, as far as one claim of `maxUnits` reaches; the first in any case. */
export function nextBatch(line: Line, maxUnits: number): readonly Waiter[] {
  const batch: Waiter[] = [];
  let units = 0;
  for (const waiter of line.waiters) {
    if (waiter.state !== 'waiting') continue;
    units += waiter.request.limit;
    if (batch.length > 0 && units > maxUnits) break;
    batch.push(waiter);
  }
  return batch;
}

export function unitsOf(batch: readonly Waiter[]): number {
  return batch.reduce((sum, { request }) => sum + request.limit, 0);
}

/** @param most units of the claim: a single pop may ask for more */
export function wantOf({ request }: Waiter, most: number): Want {
  const { limit, worker, holder = null, via, leaseMs } = request;
  return { units: Math.min(limit, most), worker, holder, via, leaseMs };
}

/** What one waiter gets of a claim. */
export interface Share {
  readonly waiter: Waiter;
  readonly share: readonly ClaimRow[];
}

/** Who gets which rows: units go out in pop order, the oldest waiter first, as the claim's slots were laid out. */
export function sharesOf(batch: readonly Waiter[], rows: readonly ClaimRow[]): readonly Share[] {
  let from = 0;
  let units = 0;
  return batch.map((waiter) => {
    units += waiter.request.limit;
    let to = from;
    while (to < rows.length && rows[to]!.unit <= units) to += 1;
    const share = rows.slice(from, to);
    from = to;
    return { waiter, share };
  });
}

/** A waiter's rows as its answer: units count from 1. */
export function claimedTasks(share: readonly ClaimRow[]): readonly ClaimedTask[] {
  const before = (share[0]?.unit ?? 1) - 1;
  return share.map((row) => ({
    id: row.id,
    unit: row.unit - before,
    task: row.task,
    leaseId: row.lease_id,
    leaseUntil: row.lease_until,
    attempts: row.attempts,
    trace: row.traceparent,
  }));
}

/** One event per claim and way, never one per pop: each becomes a message of its own on NATS. */
export function tellDispatched(scheduler: string, shares: readonly Share[]): void {
  for (const [via, dealt] of Map.groupBy(shares, ({ waiter }) => waiter.request.via)) {
    const tasks = dealt.flatMap(({ share }) => share.map(({ id, organisation }) => ({ id, organisation })));
    emit({ name: 'tasks.dispatched', scheduler, tasks, via });
  }
}

/** What is claimed for a requester that gave up would be nobody's until its lease ends. */
export function isGone({ request, deadline }: Waiter): boolean {
  return request.signal?.aborted === true || performance.now() > deadline + patienceMs;
}

export function unanswered(): RotaError {
  return new RotaError('DATABASE_UNAVAILABLE', `no claim began within ${patienceMs} ms: try again`);
}
