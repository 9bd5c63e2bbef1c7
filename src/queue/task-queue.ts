import { within } from '../deadline.ts';
import { connect, query, type Sql, statement, transact } from '../postgres/pool.ts';
import type { CorrectSchedules } from '../protocol/commands.ts';
import type { PushOutcome } from '../protocol/requests.ts';
import type { Requester } from './batching.ts';
import { claim, type ClaimPools, claimStatement, fit, type Fitted, type RawRow, searchMs } from './pop/claim.ts';
import { HeldLeases } from './pop/held-leases.ts';
import { TaskReads } from './lists/reads.ts';
import { AllVirtualTimes, LowWaterMark } from './pop/marks.ts';
import { ranksOfRequeued } from './push/requeue.ts';
import { Waiters } from './pop/waiters.ts';
import { Corrections } from './push/corrections.ts';
import { Push } from './push/push.ts';
import { rankByArrival, type TaskRanking } from './push/rank.ts';
import {
  type QueueBounds,
  type ClaimedTask,
  defaultQueueBounds,
  firstLeaseMs,
  type LeaseRef,
  noWake,
  type PatchAnswers,
  type PatchOutcome,
  type PopRequest,
  type ReleaseOutcome,
  type TaskPatch,
  type TaskQueue,
  type Wake,
} from './queue.ts';
import { Renewals, Sweeper } from './settle/leases.ts';
import { Settle } from './settle/settle.ts';
import { time, type Timer } from '../time-and-chance.ts';

export interface TaskQueueOptions {
  readonly databaseUrl: string;
  /** Connections of the queue in all. */
  readonly connections?: number;
  /** Task type of a scheduler; its id where absent. */
  readonly typeOf?: (scheduler: string) => string;
  readonly ranking?: TaskRanking;
  readonly gracePeriodSeconds?: number;
  readonly jitterSeconds?: number;
  readonly maxAttempts?: number;
  /** How long a task whose lease has expired waits for each claim of it, before it may be popped again. */
  readonly retryMs?: number;
  /** Queued tasks per scheduler; 0 is unlimited. */
  readonly maxSize?: number;
  /** Parked pops per scheduler. */
  readonly maxParked?: number;
  /** Leases of one client; no bound where absent. */
  readonly leasesOfClient?: number;
  readonly bounds?: QueueBounds;
  readonly wake?: Wake;
  /** Whether the heartbeats of workers reach this supervisor at this moment; they do where absent. */
  readonly heartbeatsArrive?: () => Promise<boolean>;
  /** Pushes that named no recurrence made or moved these schedules: the actor corrects cron or interval. */
  readonly onDefaultSchedules?: (scheduler: string, command: CorrectSchedules) => void;
  /** Failures in the background: of the sweeper, of a low-water mark, of a task that could not be given back. */
  readonly onError?: (error: unknown) => void;
}

export interface RunningTaskQueue extends TaskQueue {
  /** Begins to sweep and to listen to other supervisors. Pushes and pops work without it. */
  start(): void;
  /** Parked pops are answered with nothing, statements in flight are committed; connections are closed, in time or not. */
  drain(withinMs?: number): Promise<void>;
  /** Tasks were queued by another statement (a schedule, an operator, a pause that ended): parked pops look. */
  wake(scheduler: string, count: number): void;
  /** Until null is given `onChanged` is called where something was queued, claimed or ended here: a limit may have room then. */
  watch(onChanged: (() => void) | null): void;
  /** Ends expired leases now, as the sweeper does each second. @returns how many */
  sweep(): Promise<number>;
  /** Brings /tasks/stats up to date now, as the sweeper does each second. */
  foldCounts(): Promise<void>;
  /** Whether ranks are virtual times; those that this supervisor knows are stored when it resolves. */
  ranksFairly(scheduler: string): Promise<boolean>;
  /** Parked pops by scheduler. */
  parked(): ReadonlyMap<string, number>;
}

/** How often parked pops look although nothing woke them: the delay that a lost wake costs. */
const lookEveryMs = 5_000;
/** For searching pops of all schedulers: each keeps a core of the database busy. Opened at the first such pop. */
const searchConnections = 2;

/** The queue on Postgres. Any number of them may share a database: docs/queue-semantics.md. */
export function createTaskQueue(options: TaskQueueOptions): RunningTaskQueue {
  return new PostgresTaskQueue(options);
}

class PostgresTaskQueue implements RunningTaskQueue {
  readonly #options: TaskQueueOptions;
  readonly #bounds: QueueBounds;
  readonly #sql: Sql;
  readonly #pools: ClaimPools;
  readonly #wake: Wake;
  readonly #ranking: TaskRanking;
  readonly #settle: Settle;
  readonly #corrections: Corrections;
  readonly #sweeper: Sweeper;
  readonly #reads: TaskReads;
  readonly #renewals: Renewals;
  readonly #held: HeldLeases;
  readonly #pushes = new Map<string, Push>();
  readonly #waiters = new Map<string, Waiters>();
  readonly #lowWaterMarks: LowWaterMark[] = [];
  readonly #virtualTimes: AllVirtualTimes;
  #unsubscribe: (() => void) | null = null;
  /** The longest length that a lease over NATS begins with. */
  #firstLeaseMs = firstLeaseMs;
  #looks: Timer | null = null;
  #onChanged: (() => void) | null = null;

  constructor(options: TaskQueueOptions) {
    this.#options = options;
    this.#bounds = options.bounds ?? defaultQueueBounds;
    this.#sql = connect(options.databaseUrl, { max: options.connections ?? 12, byKey: true });
    this.#pools = {
      sql: this.#sql,
      search: connect(options.databaseUrl, { max: searchConnections, byKey: true, statementMs: searchMs }),
    };
    this.#wake = options.wake ?? noWake;
    this.#virtualTimes = new AllVirtualTimes(this.#sql, (error) => options.onError?.(error));
    this.#ranking = options.ranking ?? rankByArrival;
    this.#corrections = new Corrections((scheduler, command) => options.onDefaultSchedules?.(scheduler, command));
    const gracePeriodSeconds = options.gracePeriodSeconds ?? 86_400;
    const ranksOf = ranksOfRequeued(this.#ranking, this.#virtualTimes);
    this.#settle = new Settle({
      sql: this.#sql,
      gracePeriodSeconds,
      maxInFlight: this.#bounds.writesInFlight,
      ranksOf,
      onQueued: (scheduler, count) => this.#queued(scheduler, count),
      onChanged: () => this.#onChanged?.(),
    });
    this.#sweeper = new Sweeper({
      sql: this.#sql,
      maxAttempts: options.maxAttempts ?? 3,
      gracePeriodSeconds,
      retryMs: options.retryMs ?? 10_000,
      ranksOf,
      heartbeatsArrive: options.heartbeatsArrive ?? (async () => true),
      onChanged: (settled) => this.#settle.report(settled),
      onPresent: ({ lengthen }) => (this.#firstLeaseMs = lengthen ? firstLeaseMs : Number.MAX_SAFE_INTEGER),
      onError: (error) => options.onError?.(error),
    });
    this.#renewals = new Renewals(this.#sql);
    this.#held = new HeldLeases({
      most: options.leasesOfClient ?? Number.POSITIVE_INFINITY,
      count: (holder) => this.#countHeld(holder),
    });
    this.#reads = new TaskReads(this.#sql);
  }

  start(): void {
    this.#sweeper.start();
    this.#unsubscribe ??= this.#wake.subscribe((scheduler, count) => void this.#waiters.get(scheduler)?.wake(count));
    this.#looks ??= time
      .setInterval(() => {
        for (const waiters of this.#waiters.values()) if (waiters.parked > 0) waiters.wake(Number.MAX_SAFE_INTEGER);
      }, lookEveryMs)
      .unref();
  }

  async drain(withinMs = 5_000): Promise<void> {
    this.#unsubscribe?.();
    if (this.#looks !== null) time.clearInterval(this.#looks);
    try {
      await within(this.#idle(), withinMs);
    } finally {
      await Promise.all(Object.values(this.#pools).map((pool: Sql) => pool.end({ timeout: 1 })));
    }
  }

  async #idle(): Promise<void> {
    await Promise.all([this.#sweeper.stop(), ...[...this.#waiters.values()].map((waiters) => waiters.stop())]);
    const busy = [...this.#pushes.values(), ...this.#lowWaterMarks, this.#virtualTimes];
    await Promise.all(busy.map((part) => part.idle()));
    this.#corrections.flush();
    await Promise.all([this.#settle.idle(), this.#reads.idle(), this.#renewals.idle()]);
  }

  push(...[scheduler, tasks, asked = {}]: Parameters<TaskQueue['push']>): Promise<readonly PushOutcome[]> {
    return this.#pushOf(scheduler).push(tasks, asked);
  }

  async pop(scheduler: string, request: PopRequest): Promise<readonly ClaimedTask[]> {
    return this.#waitersOf(scheduler).pop(request);
  }

  get(id: string, requester?: Requester): Promise<string | null> {
    return this.#reads.read({ id, leaseId: null }, requester);
  }

  getHeld(lease: LeaseRef, requester?: Requester): Promise<string | null> {
    return this.#reads.read(lease, requester);
  }

  patch(patches: readonly TaskPatch[], asked: PatchAnswers & Requester = {}): Promise<readonly PatchOutcome[]> {
    const answered = asked.answersTasks ?? false;
    const changes = patches.map((patch) => ({ ...patch, id: patch.id.toLowerCase(), answered }));
    return this.#settle.submit(changes, asked);
  }

  heartbeat(leases: readonly LeaseRef[], leaseMs: number | null): Promise<{ renewed: string[]; lost: string[] }> {
    return this.#renewals.renew(leases, leaseMs);
  }

  async release(scheduler: string, id: string, doer?: string): Promise<ReleaseOutcome> {
    const [row] = await transact(() =>
      query<{ scheduler: string; status: string; via: string | null; lease_id: string | null; task: string }>(
        this.#sql,
        statement('settle/release'),
        [id],
      ),
    );
    if (row === undefined || row.scheduler !== scheduler) return { outcome: 'unknown' };
    if (row.status === 'QUEUED') return { outcome: 'released', task: row.task };
    const underWay = row.status === 'DISPATCHED' || row.status === 'RUNNING';
    if (!underWay || row.via === 'nats') return { outcome: 'conflict' };
    // With the lease, so that a task which another worker has claimed meanwhile stays with that worker.
    const [outcome] = await this.#settle.submit([
      {
        id: id.toLowerCase(),
        leaseId: row.lease_id,
        status: 'queued',
        superseded: true,
        answered: true,
        ...(doer === undefined ? {} : { doer }),
      },
    ]);
    return outcome!.ok ? { outcome: 'released', task: outcome!.task! } : { outcome: 'conflict' };
  }

  giveBack(claimed: readonly LeaseRef[]): Promise<void> {
    return this.#settle.giveBack(claimed).catch((error: unknown) => this.#options.onError?.(error));
  }

  wake(scheduler: string, count: number): void {
    this.#wakeUp(scheduler, count);
  }

  watch(onChanged: (() => void) | null): void {
    this.#onChanged = onChanged;
  }

  sweep(): Promise<number> {
    return this.#sweeper.sweep();
  }

  foldCounts(): Promise<void> {
    return this.#sweeper.foldCounts();
  }

  parked(): ReadonlyMap<string, number> {
    return new Map([...this.#waiters].map(([scheduler, waiters]) => [scheduler, waiters.parked]));
  }

  #queued(scheduler: string, count: number): void {
    this.#onChanged?.();
    this.#wakeUp(scheduler, count);
  }

  /** Pops that wait here are served first; what they leave is for pops that wait at other supervisors. */
  #wakeUp(scheduler: string, count: number): void {
    const left = this.#waiters.get(scheduler)?.wake(count) ?? count;
    if (left > 0) this.#wake.publish(scheduler, left);
  }

  #pushOf(scheduler: string): Push {
    const known = this.#pushes.get(scheduler);
    if (known !== undefined) return known;
    const push = new Push({
      sql: this.#sql,
      scheduler,
      newTask: {
        type: this.#typeOf(scheduler),
        gracePeriodSeconds: this.#options.gracePeriodSeconds ?? 86_400,
        jitterSeconds: this.#options.jitterSeconds ?? 18_000,
      },
      ranking: this.#ranking,
      virtualTimes: this.#virtualTimes.of(scheduler),
      maxSize: this.#options.maxSize ?? 0,
      maxInFlight: this.#bounds.writesInFlight,
      maxBatch: this.#bounds.pushTasks,
      onQueued: (count) => this.#queued(scheduler, count),
      onDefaultSchedules: (pushed) => this.#corrections.add(scheduler, pushed),
    });
    this.#pushes.set(scheduler, push);
    return push;
  }

  #waitersOf(scheduler: string): Waiters {
    const known = this.#waiters.get(scheduler);
    if (known !== undefined) return known;
    const mark = new LowWaterMark(this.#sql, scheduler, (error) => this.#options.onError?.(error));
    this.#lowWaterMarks.push(mark);
    const virtualTimes = this.#virtualTimes.of(scheduler);
    const isFair = this.#ranking.policyOf(scheduler).fair;
    if (!isFair) void virtualTimes.forget();
    const waiters = new Waiters({
      scheduler,
      statementOf: (filters) => claimStatement(filters, this.#typeOf(scheduler)),
      claim: async (wants, found) => {
        const rows = await claim(this.#pools, { scheduler, firstLeaseMs: this.#firstLeaseMs }, wants, found);
        mark.claimed(rows.length);
        if (rows.length > 0) this.#onChanged?.();
        const fitted = await this.#fit(rows);
        if (isFair && found.byRank) virtualTimes.dispatched(fitted.kept);
        return fitted;
      },
      giveBack: (rows) => void this.giveBack(rows.map(leaseOf)),
      maxParked: this.#options.maxParked ?? 10_000,
      held: this.#held,
      bounds: this.#bounds,
    });
    this.#waiters.set(scheduler, waiters);
    return waiters;
  }

  async ranksFairly(scheduler: string): Promise<boolean> {
    await this.#virtualTimes.of(scheduler).save();
    return this.#ranking.policyOf(scheduler).fair;
  }

  /** Tasks beyond the room go back before other pops look; all go back where they cannot be read. */
  async #fit(rows: readonly RawRow[]): Promise<Fitted> {
    const fitted = await fit(this.#sql, rows).catch((error: unknown) => {
      void this.giveBack(rows.map(leaseOf));
      throw error;
    });
    if (fitted.left.length > 0) await this.giveBack(fitted.left.map(leaseOf));
    return fitted;
  }

  async #countHeld(holder: string): Promise<number> {
    const [row] = await query<{ held: number }>(this.#sql, statement('pop/count-held'), [holder]);
    return row!.held;
  }

  #typeOf(scheduler: string): string {
    return this.#options.typeOf?.(scheduler) ?? scheduler;
  }
}

function leaseOf({ id, lease_id: leaseId }: RawRow): LeaseRef {
  return { id, leaseId };
}
