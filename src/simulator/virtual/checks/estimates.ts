import { startOf } from '../../../queue/lists/start.ts';
import type { FaultTimes } from '../fault-times.ts';
import type { Journal } from '../journal.ts';
import type { SimulatedQueue } from '../queue/simulated-queue.ts';
import type { Unit } from '../queue/scheduler-tasks.ts';
import { about, type Row } from '../queue/rows.ts';

interface EstimatesOptions {
  readonly journal: Journal;
  readonly queue: SimulatedQueue;
  readonly faultTimes: FaultTimes;
  readonly now: () => number;
  readonly databaseNow: () => number;
  readonly isFair: (scheduler: string) => boolean;
}

interface Sample {
  readonly askedAt: number;
  /** By the database's clock, as `askedAt`. */
  readonly startsAt: number;
  /** By virtual time. */
  readonly at: number;
}

/** Fewer that go before say little: one long task changes all. */
const leastBefore = 40;
/** Estimates of one scheduler that are judged together. */
const together = 50;
/** Multiples of it, less what is whole, lie evenly between 0 and 1. */
const goldenRatio = 0.618;
/**
 * Half of them are off by less, in shares of what the task waited from then on: twice what docs/queue-semantics.md says of steady load, since
 * two workers are more uneven than ten. Under fair-share only what starts later than it was estimated to counts: the load of a simulation is
 * not steady, and while a backlog drains virtual time goes ever faster.
 */
const mostOff = 0.4;

/** Asks now and then when a task starts, and compares the answers with when it does. */
export class Estimates {
  readonly #options: EstimatesOptions;
  readonly #samples = new Map<Row, Sample>();
  readonly #errors = new Map<string, number[]>();
  #asked = 0;

  constructor(options: EstimatesOptions) {
    this.#options = options;
  }

  /** Of each scheduler one task, from all over the queue by turns. */
  sample(): void {
    const { queue, now, databaseNow, isFair } = this.#options;
    for (const { scheduler, rows, rates } of queue.schedulers()) {
      if (rows.ready <= leastBefore) continue;
      const place = Math.floor(((this.#asked += 1) * goldenRatio * rows.byHash.size) % rows.byHash.size);
      const task = rows.byHash.values().drop(place).next().value!;
      if (task.held || task.attempts > 0 || task.limits !== null || this.#samples.has(task)) continue;
      const start = rates.startOf(task, isFair(scheduler));
      const { estimated_start_at: startsAt } = startOf([start], Infinity);
      if (startsAt === null || start.before < leastBefore) continue;
      this.#samples.set(task, { askedAt: databaseNow(), startsAt: Date.parse(startsAt), at: now() });
    }
  }

  claimed(unit: Unit): void {
    for (const row of unit) this.#started(row);
  }

  /** It was cancelled, or is held from now on. */
  left(row: Row): void {
    this.#samples.delete(row);
  }

  #started(row: Row): void {
    const sample = this.#samples.get(row);
    if (sample === undefined) return;
    this.#samples.delete(row);
    const { faultTimes, databaseNow, isFair, journal } = this.#options;
    if (faultTimes.allowanceMs(sample.at, 'any') > 0) return;
    const { askedAt, startsAt } = sample;
    const errors = this.#errors.get(row.scheduler) ?? [];
    this.#errors.set(row.scheduler, errors);
    const late = (databaseNow() - startsAt) / Math.max(1, databaseNow() - askedAt);
    errors.push(isFair(row.scheduler) ? late : Math.abs(late));
    if (errors.length < together) return;
    const median = errors.toSorted((a, b) => a - b)[together / 2]!;
    errors.length = 0;
    if (median > mostOff)
      journal.violate(
        'estimates',
        `of the last ${together} estimates of starts half were off by ${Math.round(median * 100)} % or more, last ${about(row)}`,
      );
  }
}
