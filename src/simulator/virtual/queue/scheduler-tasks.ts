import { RotaError } from '../../../errors.ts';
import { failureOf } from '../../../mailbox/failure.ts';
import type { NewTask, PushOutcome } from '../../../protocol/requests.ts';
import type { RankPolicy } from '../../../queue/push/rank.ts';
import { saveEveryMs } from '../../../queue/pop/marks.ts';
import { firstLeaseMs } from '../../../queue/queue.ts';
import { mostOfHash } from '../../../queue/schedules/streak.ts';
import { type TaskType, taskTypeOf } from '../../../tasks/data.ts';
import type { RefusalReason } from '../../../tasks/refusal.ts';
import { isFinished } from '../../../tasks/task.ts';
import { chance } from '../../../time-and-chance.ts';
import { FairShare } from './fair-share.ts';
import type { MemoryLimits } from './memory-limits.ts';
import type { MemorySchedules } from './memory-schedules.ts';
import { PopRates } from './pop-rates.ts';
import { QueuedRows } from './queued-rows.ts';
import type { Lease, Row } from './rows.ts';

/** One unit of a claim: a task, or a deduplicated group that comes whole. */
export type Unit = readonly Row[];

interface Claim {
  readonly units: number;
  readonly leaseMs: number;
  readonly via: 'nats' | 'rest';
  readonly worker: string | null;
}

/** What the tasks of all schedulers have in common. */
export interface CommonParts {
  readonly byId: Map<string, Row>;
  /** Rows that have a lease. */
  readonly leases: Set<Row>;
  readonly now: () => number;
  readonly policyOf: (scheduler: string) => RankPolicy;
  readonly typeOf: (scheduler: string) => string;
  readonly schedules: MemorySchedules;
  /** Queued tasks of a scheduler; 0 is unlimited. */
  readonly maxSize: number;
  /** What happened to a task; called after it has. */
  readonly happened: Listener;
  /** Runs it after so many milliseconds. */
  readonly after: (ms: number, run: () => void) => void;
  readonly limits: MemoryLimits;
  readonly nextNumber: () => number;
  readonly weightOf: (scheduler: string, organisation: string) => number;
  readonly isHeld: (scheduler: string, organisation: string, plugin: string | null) => boolean;
  /** There is a pause of it. */
  readonly isPausing: (scheduler: string) => boolean;
}

/** How the queue tells of each decision. */
export interface Listener {
  queued(row: Row, again: boolean): void;
  claimed(unit: Unit): void;
  changed(row: Row, was: Row['status']): void;
}

/** The tables `tasks`, `queue` and `leases` of one scheduler, and the statements push and claim on them. */
export class SchedulerTasks {
  readonly scheduler: string;
  readonly rows = new QueuedRows();
  readonly fair: FairShare;
  readonly rates: PopRates;
  /** The newest of each hash, newest last. */
  readonly history = new Map<string, Row[]>();
  readonly #type: TaskType;
  readonly #typeName: string;
  readonly #common: CommonParts;
  #isSaving = false;
  #claims = 0;

  constructor(common: CommonParts, scheduler: string) {
    this.scheduler = scheduler;
    this.#common = common;
    this.#typeName = common.typeOf(scheduler);
    this.#type = taskTypeOf(this.#typeName);
    this.rates = new PopRates(this.rows, common.now);
    this.fair = new FairShare(this.rows, {
      weightOf: (organisation) => common.weightOf(scheduler, organisation),
      isHeld: (organisation) => common.isPausing(scheduler) && common.isHeld(scheduler, organisation, null),
    });
  }

  latest(hash: string): Row | undefined {
    return this.history.get(hash)?.at(-1);
  }

  /** `scores`: ranks, or costs where the ranker is fair; by task. */
  push(tasks: readonly NewTask[], scores: ArrayLike<number>): readonly PushOutcome[] {
    const common = this.#common;
    const { fair } = common.policyOf(this.scheduler);
    const starts = new Map<unknown, number>();
    const places = common.maxSize === 0 ? Infinity : common.maxSize - this.rows.byHash.size;
    let taken = 0;
    const items = tasks.map((given, n) => {
      const task = given.checked === true ? given : { ...given, data: this.#type.schema.parse(given.data) };
      const hash = task.hash ?? this.#type.hash(task.data);
      if (task.follows !== undefined && (this.latest(hash)?.id ?? null) !== task.follows)
        return { task, hash, refused: 'already-queued' as const, rank: 0 };
      if (task.id !== undefined && this.#common.byId.has(task.id))
        return { task, hash, refused: 'id-taken' as const, rank: 0 };
      const manual = task.priority === 1;
      if (!manual) taken += 1;
      const refused = manual || taken <= places ? null : ('queue-full' as const);
      if (!fair) return { task, hash, refused, rank: scores[n]! };
      const flow = this.rows.flowOf(task.organisation, this.#type.columns(task.data).image ?? '', manual);
      let last = starts.get(flow) ?? this.fair.startOf(flow);
      if (refused === null && !this.rows.byHash.has(hash)) last += this.fair.stepOf(flow, scores[n]!);
      starts.set(flow, last);
      return { task, hash, refused, rank: last };
    });
    return items.map((item) => this.#insert(item));
  }

  #insert({ task, hash, refused, rank }: Item): PushOutcome {
    if (refused === 'id-taken')
      return { outcome: 'failed', failure: failureOf(new RotaError('CONFLICT', `a task ${task.id} exists already`)) };
    const reason: RefusalReason | null = refused ?? (this.rows.byHash.has(hash) ? 'already-queued' : null);
    if (reason !== null) return { outcome: 'refused', reason };
    const common = this.#common;
    const now = common.now();
    const columns = this.#type.columns(task.data);
    const scheduleId = this.#type.schedules
      ? common.schedules.pushed(this.scheduler, task, hash, this.#typeName === 'boefje')
      : null;
    const row: Row = {
      id: task.id ?? chance.timeOrderedUuid(),
      scheduler: this.scheduler,
      type: this.#typeName,
      number: this.#common.nextNumber(),
      organisation: task.organisation,
      hash,
      data: task.data,
      plugin: columns.plugin,
      image: columns.image ?? '',
      group: columns.deduplicationKey,
      manual: task.priority === 1,
      asked: task.follows === undefined,
      createdAt: now,
      scheduleId,
      status: 'queued',
      modifiedAt: now,
      attempts: 0,
      unbegun: 0,
      rank,
      held: this.#common.isHeld(this.scheduler, task.organisation, columns.plugin),
      flow: null,
      lease: null,
      settledBy: null,
      reason: null,
      limits: null,
      parkedAt: null,
      turn: 0,
    };
    this.#remember(row);
    this.rows.add(row);
    if (row.held) common.limits.arrived(row);
    common.happened.queued(row, false);
    return { outcome: 'queued', id: row.id, scheduleId };
  }

  /** A row as a database has it: queued, or under way where it has a lease. Nothing hears of it. */
  restore(row: Row): void {
    this.#remember(row);
    if (row.lease === null) {
      this.rows.add(row);
      if (row.held) this.#common.limits.arrived(row);
    } else {
      this.#common.leases.add(row);
      this.#common.limits.underWay(row);
    }
  }

  claim({ units: most, leaseMs, via, worker }: Claim): readonly Unit[] {
    const units: Unit[] = [];
    this.#claims += 1;
    for (const head of this.rows.heads(most)) {
      // A head of a group that another head led away.
      if (head.status !== 'queued') continue;
      const unit = head.group === null ? [head] : this.rows.groupOf(head.group);
      for (const row of unit) this.#hand(row, { leaseMs, via, worker });
      this.#dispatched(unit[0]!);
      this.rates.claimed(unit);
      units.push(unit);
      this.#common.happened.claimed(unit);
    }
    return units;
  }

  #remember(row: Row): void {
    this.#common.byId.set(row.id, row);
    const runs = this.history.get(row.hash) ?? [];
    if (runs.push(row) === 1) this.history.set(row.hash, runs);
    if (runs.length <= mostOfHash) return;
    // What is finished, and of which enough newer ones are known, no decision asks for.
    const oldest = runs.shift()!;
    if (isFinished(oldest.status)) this.#common.byId.delete(oldest.id);
  }

  /** A task that is finished, for which no decision asks any more. */
  forget(row: Row): void {
    this.#common.byId.delete(row.id);
    const others = (this.history.get(row.hash) ?? []).filter((run) => run !== row);
    if (others.length === 0) this.history.delete(row.hash);
    else this.history.set(row.hash, others);
  }

  #dispatched(head: Row): void {
    this.fair.dispatched(head);
    if (this.#isSaving) return;
    this.#isSaving = true;
    // A supervisor that is killed before loses them.
    this.#common.after(saveEveryMs, () => {
      this.#isSaving = false;
      this.fair.save();
    });
  }

  #hand(row: Row, { leaseMs, via, worker }: Omit<Claim, 'units'>): void {
    const now = this.#common.now();
    this.rows.remove(row);
    this.#common.limits.claimed(row, this.#claims);
    const firstMs = via === 'nats' ? Math.min(leaseMs, firstLeaseMs) : leaseMs;
    const lease: Lease = {
      id: chance.uuid(),
      via,
      worker,
      rank: row.rank,
      until: now + firstMs,
      renewedAt: now,
      askedMs: firstMs < leaseMs ? leaseMs : null,
      begun: false,
    };
    row.status = 'dispatched';
    row.modifiedAt = now;
    row.attempts += 1;
    row.lease = lease;
    this.#common.leases.add(row);
  }
}

interface Item {
  readonly task: NewTask;
  readonly hash: string;
  readonly refused: 'already-queued' | 'queue-full' | 'id-taken' | null;
  readonly rank: number;
}
