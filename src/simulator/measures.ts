/** One task handed to one worker, as the worker saw it. Times are epoch milliseconds of the database's clock. */
export interface HandOut {
  readonly task: string;
  readonly scheduler: string;
  readonly lease: string;
  /** When the database granted it: the lease's end less its length. */
  readonly grantedAt: number;
  readonly leaseUntil: number;
  /** Claims of the task so far, this one included. */
  readonly attempts: number;
}

interface LedgerEntry extends HandOut {
  /** Moved by heartbeats. */
  until: number;
  /** What the service confirmed; null while the task is in hand. */
  outcome: 'completed' | 'failed' | 'lost' | null;
}

export interface LedgerCounts {
  readonly handedOut: number;
  readonly tasks: number;
  readonly completed: number;
  readonly failed: number;
  /** Handed out again after the lease before had expired. */
  readonly redelivered: number;
  /** Handed out while another lease on it was live. */
  readonly handedOutTwice: number;
  /** Handed out after its end had been confirmed to a worker. */
  readonly afterEnd: number;
}

/** What a worker enters of each lease that it gets. */
export type LeaseRecord = Pick<Ledger, 'handedOut' | 'renewed' | 'settled'>;

/** For a simulation without an end, whose ledger would grow without one. */
export const noLedger: LeaseRecord = { handedOut() {}, renewed() {}, settled() {} };

/**
 * What workers saw of every task: each pop, heartbeat and confirmed end. It is independent of the supervisor's records, so
 * that it can contradict them.
 */
export class Ledger {
  readonly #byTask = new Map<string, LedgerEntry[]>();
  readonly #byLease = new Map<string, LedgerEntry>();
  #redelivered = 0;
  #twice = 0;
  #afterEnd = 0;

  handedOut(handOut: HandOut): void {
    const entry: LedgerEntry = { ...handOut, until: handOut.leaseUntil, outcome: null };
    const before = this.#byTask.get(handOut.task) ?? [];
    if (before.some(({ outcome }) => outcome === 'completed' || outcome === 'failed')) this.#afterEnd += 1;
    // A lease that the service declared lost is over before its time.
    else if (before.some((other) => other.outcome === null && other.until > handOut.grantedAt)) this.#twice += 1;
    // The count of claims includes those that this ledger did not see.
    else if (before.length > 0 || handOut.attempts > 1) this.#redelivered += 1;
    this.#byTask.set(handOut.task, [...before, entry]);
    this.#byLease.set(handOut.lease, entry);
  }

  /** A heartbeat that was sent at `sentAt` renewed the lease: it lasts at least `leaseMs` from then. */
  renewed(lease: string, sentAt: number, leaseMs: number): void {
    const entry = this.#byLease.get(lease);
    if (entry !== undefined) entry.until = Math.max(entry.until, sentAt + leaseMs);
  }

  /** The service confirmed how the task ended, or that the lease is lost. */
  settled(lease: string, outcome: 'completed' | 'failed' | 'lost'): void {
    const entry = this.#byLease.get(lease);
    if (entry !== undefined) entry.outcome ??= outcome;
  }

  /** The ends that the service confirmed, by task. */
  confirmed(): ReadonlyMap<string, 'completed' | 'failed'> {
    const ends = new Map<string, 'completed' | 'failed'>();
    for (const { task, outcome } of this.#byLease.values()) {
      if (outcome === 'completed' || outcome === 'failed') ends.set(task, outcome);
    }
    return ends;
  }

  counts(): LedgerCounts {
    const outcomes = [...this.#byLease.values()].map(({ outcome }) => outcome);
    return {
      handedOut: this.#byLease.size,
      tasks: this.#byTask.size,
      completed: outcomes.filter((outcome) => outcome === 'completed').length,
      failed: outcomes.filter((outcome) => outcome === 'failed').length,
      redelivered: this.#redelivered,
      handedOutTwice: this.#twice,
      afterEnd: this.#afterEnd,
    };
  }

  /** Ids of every task that a worker ever held. */
  tasks(): Iterable<string> {
    return this.#byTask.keys();
  }
}

/** How many units of each kind were at work at one moment, at most, as their workers saw it. */
export class AtOnce {
  readonly #units = new Map<string, Map<string, number>>();
  #most = 0;

  /** Members of one unit count once. */
  async during<T>(kind: string, unit: string, work: () => Promise<T>): Promise<T> {
    const units = this.#units.get(kind) ?? new Map<string, number>();
    this.#units.set(kind, units);
    units.set(unit, (units.get(unit) ?? 0) + 1);
    this.#most = Math.max(this.#most, units.size);
    try {
      return await work();
    } finally {
      const left = units.get(unit)! - 1;
      if (left === 0) units.delete(unit);
      else units.set(unit, left);
    }
  }

  get most(): number {
    return this.#most;
  }
}

/** Milliseconds; null where nothing was measured. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p99: number | null;
}

/** By nearest rank: every figure is a measured one. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) => {
    const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
    return value === undefined ? null : Math.round(value * 100) / 100;
  };
  return { p50: rank(0.5), p99: rank(0.99) };
}

/**
 * Times events from their publication to the start of the first handler that they cause. It takes only events that were
 * published while a worker waited: the times of the others show the amount of work, not the latency.
 */
export class EventTimes {
  readonly #published = new Map<string, number>();
  readonly #ms: number[] = [];

  /** `key` names the event in the task that it leads to. */
  published(key: string, workerWaits: boolean, at = performance.now()): void {
    if (workerWaits) this.#published.set(key, at);
  }

  handlerStarted(key: string, at = performance.now()): void {
    const published = this.#published.get(key);
    if (published === undefined) return;
    this.#published.delete(key);
    this.#ms.push(at - published);
  }

  milliseconds(): readonly number[] {
    return this.#ms;
  }
}
