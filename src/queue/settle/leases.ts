import { every, within } from '../../deadline.ts';
import { query, type Sql, statement, transact, transaction } from '../../postgres/pool.ts';
import { emit } from '../../telemetry/events.ts';
import { Coalescer } from '../batching.ts';
import { foldCounts } from '../maintenance/counts.ts';
import { forgetVirtualTimes } from '../push/requeue.ts';
import type { LeaseRef } from '../queue.ts';
import { type RanksOf, type TaskChange, settle, type Settled } from './settle.ts';
import { chance, time } from '../../time-and-chance.ts';

/** A lease that its holder renews for `leaseMs` from now on; null keeps its length. */
interface Renewal extends LeaseRef {
  readonly leaseMs: number | null;
}

/** Renews leases in sets: heartbeats that arrive while a statement runs share the next one. The database's clock decides. */
export class Renewals {
  readonly #sql: Sql;
  readonly #coalescer: Coalescer<Renewal, boolean>;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#coalescer = new Coalescer<Renewal, boolean>({
      maxInFlight: 2,
      maxBatch: 1_000,
      run: (batch) => this.#run(batch),
      outcomeOf: () => null,
    });
  }

  async renew(leases: readonly LeaseRef[], leaseMs: number | null): Promise<{ renewed: string[]; lost: string[] }> {
    const renewals = leases.map(({ id, leaseId }) => ({
      id: id.toLowerCase(),
      leaseId: leaseId.toLowerCase(),
      leaseMs,
    }));
    const held = await this.#coalescer.submit(renewals);
    const idsOf = (wanted: boolean) => renewals.filter((_renewal, at) => held[at] === wanted).map(({ id }) => id);
    return { renewed: idsOf(true), lost: idsOf(false) };
  }

  idle(): Promise<void> {
    return this.#coalescer.idle();
  }

  /** For each, in order, whether its lease is held still. */
  async #run(batch: readonly Renewal[]): Promise<readonly boolean[]> {
    const lengths = batch.map(({ leaseMs }) => leaseMs);
    // Heartbeats of one fleet ask for the same length.
    const isOne = lengths.every((length) => length === lengths[0]);
    const rows = await transact(() =>
      query<{ task_id: string; lease_id: string }>(this.#sql, statement('settle/heartbeat'), [
        batch.map(({ id }) => id),
        batch.map(({ leaseId }) => leaseId),
        isOne ? lengths.slice(0, 1) : lengths,
      ]),
    );
    const held = new Set(rows.map((row) => `${row.task_id} ${row.lease_id}`));
    return batch.map(({ id, leaseId }) => held.has(`${id} ${leaseId}`));
  }
}

interface SweeperOptions {
  readonly sql: Sql;
  /** Claims of one task before an expired lease fails it. */
  readonly maxAttempts: number;
  readonly gracePeriodSeconds: number;
  /** How long a task whose lease has expired waits for each claim of it. */
  readonly retryMs: number;
  readonly ranksOf: RanksOf;
  /** Whether the heartbeats of workers reach this supervisor at this moment. */
  readonly heartbeatsArrive: () => Promise<boolean>;
  /** What a sweep changed: events and wakes. */
  onChanged(settled: Settled): void;
  /** Called each second with whether all present supervisors lengthen a lease when its task begins. */
  onPresent(all: { readonly lengthen: boolean }): void;
  onError(error: unknown): void;
}

export const sweepEveryMs = 1_000;
export const perSweep = 500;
const aliveEveryMs = 60_000;
/** A supervisor that ends without saying so counts as killed: a gap of 20 s for the others. */
const leaveWithinMs = 1_000;
/**
 * How often a task whose holder never reported goes back as if it had not been claimed: a lost answer, or a runner whose Octopoes
 * is away, says nothing about the task. After that the task itself may be one that no worker can begin.
 */
export const freeOfCharge = 2;

/** A row of sweep-look.sql. */
interface Expired {
  readonly id: string;
  readonly lease_id: string;
  readonly unbegun: boolean;
  readonly unclaimed: boolean;
  readonly exhausted: boolean;
}

const expired = {
  code: 'lease-expired',
  message: 'its worker began it, and did not renew the lease: it ended, hung or lost its connection',
};
const notBegun = { code: 'not-begun', message: 'the worker that took it reported nothing before the lease ended' };

function changeOf({ id, lease_id: leaseId, unbegun, unclaimed, exhausted }: Expired): TaskChange {
  const ended = {
    id,
    leaseId,
    superseded: true,
    error: unbegun ? notBegun : expired,
    doer: 'rota',
    why: 'lease-expired',
  };
  if (exhausted) return { ...ended, status: 'failed', reason: 'lease-expired' };
  return { ...ended, status: 'queued', unbegun, unclaimed };
}

/**
 * Expires leases, once a second: a task whose lease has expired goes back to the queue after a while, behind what waits, or fails if
 * it was claimed too often, or gives way to a queued twin. Several supervisors sweep the same table and skip what another one has locked. Each first
 * records that heartbeats reach it, so that all of them spare leases that could not be renewed: docs/queue-semantics.md, "Gaps".
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #instance = chance.uuid();
  readonly #stop = new AbortController();
  /** time.monotonicMs() of the last minute's round. */
  #aliveAt: number | null = null;
  #running: Promise<void> | null = null;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    const { onError } = this.#options;
    this.#running ??= every(sweepEveryMs, this.#stop.signal, () => this.round(), onError);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#running === null) return;
    await this.#running;
    const left = transact(() => query(this.#options.sql, statement('settle/leave'), [this.#instance]));
    await within(left, leaveWithinMs).catch(() => {});
  }

  /** @returns how many expired leases it ended */
  async sweep(): Promise<number> {
    const { sql, maxAttempts, gracePeriodSeconds, retryMs, ranksOf } = this.#options;
    const swept = await transact(() =>
      transaction(sql, async (sweeping) => {
        const found = await query<{ id: string; scheduler: string }>(sweeping, statement('settle/sweep-find'), [
          perSweep,
          this.#instance,
          retryMs,
          maxAttempts,
          freeOfCharge,
        ]);
        if (found.length === 0) return null;
        const locked = await query<{ id: string }>(sweeping, statement('settle/sweep-lock'), [
          found.map(({ id }) => id),
          [...new Set(found.map(({ scheduler }) => scheduler))].toSorted(),
        ]);
        const expired = await query<Expired>(sweeping, statement('settle/sweep-look'), [
          locked.map((row) => row.id),
          maxAttempts,
          freeOfCharge,
        ]);
        const behind = expired.filter(({ unclaimed, exhausted }) => !unclaimed && !exhausted).map(({ id }) => id);
        const ranks = await ranksOf(sweeping, behind, 'expired');
        return settle(sweeping, expired.map(changeOf), gracePeriodSeconds, ranks);
      }),
    );
    if (swept === null || swept.changes.length === 0) return 0;
    const count = (status: string) => swept.rows.filter((row) => row.code === null && row.status === status).length;
    emit({
      name: 'leases.expired',
      requeued: count('QUEUED'),
      failed: count('FAILED'),
      superseded: count('CANCELLED'),
    });
    this.#options.onChanged(swept);
    return swept.changes.length;
  }

  /** Folds the changes since the last time into the counts that /tasks/stats reads. */
  async foldCounts(): Promise<void> {
    await foldCounts(this.#options.sql);
  }

  /** Records in the database that heartbeats reach this supervisor, if they do. */
  async #isPresent(): Promise<boolean> {
    if (!(await this.#options.heartbeatsArrive())) return false;
    const [all] = await transact(() =>
      query<{ lengthen: boolean }>(this.#options.sql, statement('settle/present'), [this.#instance]),
    );
    this.#options.onPresent(all!);
    return true;
  }

  /** What it does each second. */
  async round(): Promise<void> {
    const { signal } = this.#stop;
    if (this.#aliveAt === null || time.monotonicMs() - this.#aliveAt > aliveEveryMs) {
      await transact(() => query(this.#options.sql, statement('settle/alive'), []));
      await transact(() => query(this.#options.sql, statement('maintenance/forget-counts'), []));
      await transact(() => query(this.#options.sql, statement('settle/forget-gaps'), []));
      await transact(() => forgetVirtualTimes(this.#options.sql));
      this.#aliveAt = time.monotonicMs();
    }
    // A full sweep leaves more behind: a burst of expiries does not wait for the next second.
    while (!signal.aborted && (await this.#isPresent()) && (await this.sweep()) === perSweep);
    await this.foldCounts();
  }
}
