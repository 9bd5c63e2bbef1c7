import { every } from '../../deadline.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { emit } from '../../telemetry/events.ts';
import { time } from '../../time-and-chance.ts';

interface RetentionOptions {
  readonly sql: Sql;
  /** 0 keeps everything. */
  readonly days: number;
  readonly gracePeriodSeconds: number;
  onError(error: unknown): void;
}

/** The result of one stretch of a table; the next stretch begins behind `after`. */
interface Stretch {
  readonly looked: number;
  readonly removed: number;
  readonly after: readonly string[];
}

/** Rows of one statement: some 20 ms, between which pops and pushes go on. */
const perStretch = 1_000;
const pauseMs = 100;
/** From the end of one walk to the next: retention counts in days, so an hour more does not matter. */
const everyMs = 3_600_000;
const firstId = '00000000-0000-0000-0000-000000000000';

/**
 * Once an hour: removes finished tasks and disabled schedules that are old enough and no longer needed; off where `days`
 * is 0. A schedule goes after the last task of it.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    const { days, onError } = this.#options;
    if (days > 0) this.#running ??= every(everyMs, this.#stop.signal, () => this.walk(), onError);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** One walk over everything that is old enough. @returns how many it removed */
  async walk(): Promise<{ readonly tasks: number; readonly schedules: number }> {
    const { days, gracePeriodSeconds } = this.#options;
    const tasks = await this.#walk(['-infinity', firstId], async (after) => {
      const row = await this.#stretch<TaskStretch>('maintenance/retire', [
        days,
        gracePeriodSeconds,
        ...after,
        perStretch,
      ]);
      return { ...row, after: [row.created_at, row.id] };
    });
    if (tasks > 0) emit({ name: 'tasks.removed', count: tasks });
    const schedules = await this.#walk(['', '', firstId], async (after) => {
      const row = await this.#stretch<ScheduleStretch>('maintenance/retire-schedules', [days, ...after, perStretch]);
      return { ...row, after: [row.scheduler, row.organisation, row.id] };
    });
    if (schedules > 0) emit({ name: 'schedules.removed', count: schedules });
    return { tasks, schedules };
  }

  async #walk(from: readonly string[], stretchAfter: (after: readonly string[]) => Promise<Stretch>): Promise<number> {
    let [after, total] = [from, 0];
    while (!this.#stop.signal.aborted) {
      const stretch = await stretchAfter(after);
      total += stretch.removed;
      if (stretch.looked < perStretch) break;
      after = stretch.after;
      await time.sleep(pauseMs, this.#stop.signal).catch(() => {});
    }
    return total;
  }

  async #stretch<Row extends object>(name: string, values: readonly unknown[]): Promise<Row> {
    const [row] = await transact(() => query<Row>(this.#options.sql, statement(name), values));
    return row!;
  }
}

interface TaskStretch {
  readonly looked: number;
  readonly removed: number;
  readonly created_at: string;
  readonly id: string;
}

interface ScheduleStretch {
  readonly looked: number;
  readonly removed: number;
  readonly scheduler: string;
  readonly organisation: string;
  readonly id: string;
}
