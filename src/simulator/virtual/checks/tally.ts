import type { Journal } from '../journal.ts';
import type { Listener, Unit } from '../queue/scheduler-tasks.ts';
import type { StoredSchedule } from '../queue/stored-schedule.ts';
import { about, type Row } from '../queue/rows.ts';

/** Seconds. */
interface Waits {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

export interface TallyReport {
  /** By scheduler. */
  readonly tasks: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** From the push to the first hand-out, by scheduler. */
  readonly waits: Readonly<Record<string, Waits>>;
}

interface TallyOptions {
  readonly journal: Journal;
  readonly now: () => number;
  /** Hears the same, after it was written down. */
  readonly watched: Listener;
  /** There is something to pop. */
  readonly wake: (scheduler: string) => void;
}

/** Writes down what becomes of each task, and counts it. */
export class Tally implements Listener {
  readonly #options: TallyOptions;
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #waits = new Map<string, number[]>();

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  queued(row: Row, again: boolean): void {
    const { journal, watched, wake } = this.#options;
    journal.note(`${again ? 'again' : 'queued'} ${about(row)} ${row.rank}${row.held ? ' held' : ''}`);
    if (!again) this.#count(row.scheduler, 'queued');
    watched.queued(row, again);
    if (!row.held) wake(row.scheduler);
  }

  claimed(unit: Unit): void {
    const { journal, now, watched } = this.#options;
    for (const row of unit) {
      journal.note(`claimed ${row.scheduler} #${row.number} ${row.attempts} ${row.lease!.worker}`);
      if (row.attempts !== 1) continue;
      const waits = this.#waits.get(row.scheduler);
      const waited = (now() - row.createdAt) / 1_000;
      if (waits === undefined) this.#waits.set(row.scheduler, [waited]);
      else waits.push(waited);
    }
    watched.claimed(unit);
  }

  changed(row: Row, was: Row['status']): void {
    const { journal, watched } = this.#options;
    journal.note(`${row.status} ${row.scheduler} #${row.number} ${row.reason ?? ''}`);
    if (row.status !== 'running') this.#count(row.scheduler, row.status === 'queued' ? 'again' : row.status);
    watched.changed(row, was);
  }

  scheduled({ boefje, ooi, organisation, deadlineAt, enabled, disabledReason }: StoredSchedule): void {
    const when = enabled ? deadlineAt : disabledReason;
    this.#options.journal.note(`schedule ${boefje} ${ooi} ${organisation} ${when}`);
  }

  report(): TallyReport {
    return {
      tasks: Object.fromEntries(
        [...this.#counts].map(([scheduler, counts]) => [scheduler, Object.fromEntries(counts)]),
      ),
      waits: Object.fromEntries([...this.#waits].map(([scheduler, waits]) => [scheduler, waitsOf(waits)])),
    };
  }

  #count(scheduler: string, what: string): void {
    const counts = this.#counts.get(scheduler) ?? new Map<string, number>();
    this.#counts.set(scheduler, counts);
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
}

function waitsOf(waits: readonly number[]): Waits {
  const sorted = Float64Array.from(waits).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
}
