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
const together = 100;
/** As `make bench ARGS="--only estimates"` holds it: half of them are off by less, in shares of what the task waited from then on. */
const mostOff = 0.25;

/** Asks now and then when a task starts, and compares the answers with when it does. */
export class Estimates {
  readonly #options: EstimatesOptions;
  readonly #samples = new Map<Row, Sample>();
  readonly #errors = new Map<string, number[]>();

  constructor(options: EstimatesOptions) {
    this.#options = options;
  }

  /** Of each scheduler the task that was queued last. */
  sample(): void {
    const { queue, now, databaseNow, isFair } = this.#options;
    for (const { scheduler, rows, rates } of queue.schedulers()) {
      if (rows.ready <= leastBefore) continue;
      let task: Row | null = null;
      for (const row of rows.byHash.values()) if (!row.held && row.attempts === 0 && row.limits === null) task = row;
      if (task === null || this.#samples.has(task)) continue;
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
    const { faultTimes, databaseNow, journal } = this.#options;
    if (faultTimes.allowanceMs(sample.at, 'any') > 0) return;
    const { askedAt, startsAt } = sample;
    const errors = this.#errors.get(row.scheduler) ?? [];
    this.#errors.set(row.scheduler, errors);
    errors.push(Math.abs(startsAt - databaseNow()) / Math.max(1, databaseNow() - askedAt));
    if (errors.length < together) return;
    const median = errors.toSorted((a, b) => a - b)[together / 2]!;
    errors.length = 0;
    if (process.env['EST']) console.log(row.scheduler, median);
    if (median > mostOff)
      journal.violate(
        'estimates',
        `of the last ${together} estimates of starts half were off by ${Math.round(median * 100)} % or more, last ${about(row)}`,
      );
  }
}
