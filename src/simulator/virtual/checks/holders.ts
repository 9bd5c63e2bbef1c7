import { isFinished } from '../../../tasks/task.ts';
import type { FaultTimes } from '../fault-times.ts';
import type { Journal } from '../journal.ts';
import { about, type Row } from '../queue/rows.ts';
import type { Outcome } from '../queue/settlement.ts';
import { leaseMs, type WorkerWitness } from '../workers.ts';

interface HoldersOptions {
  readonly journal: Journal;
  readonly faultTimes: FaultTimes;
  readonly maxAttempts: number;
  /** Virtual time, and the database's. */
  readonly now: () => number;
  readonly databaseNow: () => number;
}

/** Who holds a task, as workers saw it. */
interface Holder {
  readonly worker: string;
  readonly leaseId: string;
  /** By virtual time. */
  readonly at: number;
  /** Workers before this one that began the task, and that no outage kept from ending it: each is an attempt. */
  readonly attempts: number;
  begun: boolean;
  until: number;
  over: boolean;
}

/** That each task is in one pair of hands, which alone decide over it, and in so many after each other at most: by what workers see. */
export class Holders implements WorkerWitness {
  readonly #options: HoldersOptions;
  readonly #holders = new Map<string, Holder>();

  constructor(options: HoldersOptions) {
    this.#options = options;
  }

  handed(row: Row, worker: string, leaseId: string): void {
    const { journal, databaseNow, maxAttempts, now } = this.#options;
    const before = this.#holders.get(row.id);
    if (before !== undefined && !before.over && before.until > databaseNow())
      journal.violate('one-holder', `${about(row)} is handed to ${worker} while ${before.worker} holds it`);
    const attempts = before === undefined ? 0 : before.attempts + (this.#isAttempt(before) ? 1 : 0);
    if (attempts >= maxAttempts)
      journal.violate('retries', `${about(row)} is handed to ${worker} after ${attempts} workers began it`);
    const until = databaseNow() + leaseMs;
    this.#holders.set(row.id, { worker, leaseId, at: now(), attempts, begun: false, until, over: false });
  }

  #isAttempt({ begun, at }: Holder): boolean {
    return begun && this.#options.faultTimes.allowanceMs(at, 'outages') === 0;
  }

  renewed(row: Row, leaseId: string): void {
    const holder = this.#holders.get(row.id);
    if (holder?.leaseId !== leaseId)
      this.#options.journal.violate('fencing', `a lease of ${about(row)} is renewed that is not the last one`);
    holder.until = this.#options.databaseNow() + leaseMs;
  }

  reported(row: Row, leaseId: string, status: string, answer: Outcome): void {
    if (answer !== 'done') return;
    const holder = this.#holders.get(row.id);
    if (holder?.leaseId !== leaseId)
      this.#options.journal.violate('fencing', `${about(row)} becomes ${status} by a lease that is not the last one`);
    holder.begun = true;
  }

  /** What goes back to the queue before its lease is over may be in the hands of its worker still. */
  changed(row: Row): void {
    const holder = this.#holders.get(row.id);
    if (holder !== undefined && isFinished(row.status)) holder.over = true;
  }

  forget(id: string): void {
    this.#holders.delete(id);
  }
}
