import type { Listener, Unit } from '../virtual/queue/scheduler-tasks.ts';
import type { Row } from '../virtual/queue/rows.ts';
import { WaitTimes } from './wait-times.ts';

/** Seconds; `is_least`: some wait still, and it may be more. */
export interface Wait {
  readonly seconds: number;
  readonly is_least: boolean;
}

/** What becomes of the queue of one organisation in one scheduler. */
export interface QueueOutcome {
  /** Tasks, those that are held too: as the days begin, at most, and as they end. */
  readonly now: number;
  readonly most: number;
  readonly end: number;
  /** From the push to the hand-out, of all that were handed out or wait at the end; null where there was none. */
  readonly wait: { readonly p50: Wait | null; readonly p99: Wait | null };
  /** When the last task of those that waited as the days began was handed out, in seconds; null: they do not end that. */
  readonly worked_off_seconds: number | null;
  /** Tasks handed out. */
  readonly handed_out: number;
  /** At each point: tasks that wait, and half of those that were handed out since the one before waited no longer, in seconds. */
  readonly depth: readonly number[];
  readonly waited: readonly (number | null)[];
}

/** By scheduler and organisation. */
export type QueueOutcomes = ReadonlyMap<string, ReadonlyMap<string | null, QueueOutcome>>;

/** In the place of an organisation, whose name may be any text: all of a scheduler. */
export const ofAll = null;

interface Part {
  readonly now: number;
  depth: number;
  most: number;
  handedOut: number;
  /** Of those that waited as the days began. */
  left: number;
  workedOffAt: number | null;
  readonly waits: WaitTimes;
  /** Since the last point. */
  lately: WaitTimes;
  readonly depths: number[];
  readonly medians: (number | null)[];
}

interface DepthsOptions {
  readonly began: number;
  readonly now: () => number;
  /** Something may be popped. */
  readonly wake: (scheduler: string) => void;
  /** Organisations that are told apart. */
  readonly told: ReadonlySet<string>;
}

/** Who waits, how many and how long, as the days go by. */
export class Depths implements Listener {
  readonly #options: DepthsOptions;
  readonly #parts = new Map<string, Map<string | null, Part>>();
  /** By scheduler: organisations that are not told apart. */
  readonly #untold = new Map<string, Set<string>>();
  /** How many points there were before a part was first seen. */
  #points = 0;

  constructor(options: DepthsOptions) {
    this.#options = options;
  }

  /** Tasks that wait now, of all schedulers. */
  get waiting(): number {
    return this.#parts.values().reduce((sum, parts) => sum + (parts.get(ofAll)?.depth ?? 0), 0);
  }

  /** By scheduler: organisations that have tasks and are not told apart. */
  get untold(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#untold;
  }

  /** What waits as the days begin. */
  waits(scheduler: string, counts: ReadonlyMap<string, number>): void {
    for (const [organisation, count] of counts)
      if (this.#isTold(scheduler, organisation)) this.#add(scheduler, organisation, count);
    this.#add(
      scheduler,
      ofAll,
      counts.values().reduce((sum, count) => sum + count, 0),
    );
  }

  queued(row: Row, again: boolean): void {
    // What a pause held waited, and was counted, all the time; no task goes back to the queue here.
    if (!again)
      for (const part of this.#of(row)) {
        part.depth += 1;
        part.most = Math.max(part.most, part.depth);
      }
    if (!row.held) this.#options.wake(row.scheduler);
  }

  claimed(unit: Unit): void {
    const { now, began } = this.#options;
    for (const row of unit) {
      const seconds = (now() - row.createdAt) / 1_000;
      for (const part of this.#of(row)) {
        part.depth -= 1;
        part.handedOut += 1;
        part.waits.add(seconds);
        part.lately.add(seconds);
        if (row.createdAt > began) continue;
        part.left -= 1;
        if (part.left === 0) part.workedOffAt = now();
      }
    }
  }

  changed(): void {
    // Tasks end: they waited before.
  }

  point(): void {
    this.#points += 1;
    for (const part of this.#all()) {
      part.depths.push(part.depth);
      part.medians.push(medianOf(part.lately));
      part.lately = new WaitTimes();
    }
  }

  /** @param waiting the rows that wait at the end */
  outcomes(waiting: Iterable<Row>): QueueOutcomes {
    const { now, began } = this.#options;
    const stillOf = new Map<Part, WaitTimes>();
    for (const row of waiting)
      for (const part of this.#of(row)) {
        const still = stillOf.get(part) ?? new WaitTimes();
        stillOf.set(part, still.add((now() - row.createdAt) / 1_000));
      }
    const outcomes = new Map<string, Map<string | null, QueueOutcome>>();
    for (const [scheduler, parts] of this.#parts)
      outcomes.set(
        scheduler,
        new Map([...parts].map(([name, part]) => [name, outcomeOf(part, stillOf.get(part) ?? new WaitTimes(), began)])),
      );
    return outcomes;
  }

  *#all(): Iterable<Part> {
    for (const parts of this.#parts.values()) yield* parts.values();
  }

  /** That of all, and that of its organisation where the run keeps it apart. */
  #of({ scheduler, organisation }: Row): readonly Part[] {
    const parts = this.#parts.get(scheduler);
    const all = parts?.get(ofAll) ?? this.#add(scheduler, ofAll, 0);
    if (!this.#isTold(scheduler, organisation)) return [all];
    return [all, parts?.get(organisation) ?? this.#add(scheduler, organisation, 0)];
  }

  #isTold(scheduler: string, organisation: string): boolean {
    if (this.#options.told.has(organisation)) return true;
    const others = this.#untold.get(scheduler);
    if (others === undefined) this.#untold.set(scheduler, new Set([organisation]));
    else others.add(organisation);
    return false;
  }

  #add(scheduler: string, organisation: string | null, now: number): Part {
    const part: Part = {
      now,
      depth: now,
      most: now,
      handedOut: 0,
      left: now,
      workedOffAt: now === 0 ? this.#options.began : null,
      waits: new WaitTimes(),
      lately: new WaitTimes(),
      depths: Array.from({ length: this.#points }, () => 0),
      medians: Array.from({ length: this.#points }, () => null),
    };
    const parts = this.#parts.get(scheduler) ?? new Map<string | null, Part>();
    this.#parts.set(scheduler, parts.set(organisation, part));
    return part;
  }
}

function outcomeOf(part: Part, still: WaitTimes, began: number): QueueOutcome {
  const { now, most, depth: end, handedOut, waits, workedOffAt } = part;
  const wait = (share: number): Wait | null => {
    const quantile = waits.quantile(share, still);
    return quantile === null ? null : { seconds: rounded(quantile.seconds), is_least: quantile.isLeast };
  };
  return {
    now,
    most,
    end,
    wait: { p50: wait(0.5), p99: wait(0.99) },
    worked_off_seconds: workedOffAt === null ? null : rounded((workedOffAt - began) / 1_000),
    handed_out: handedOut,
    depth: part.depths,
    waited: part.medians,
  };
}

function medianOf(waits: WaitTimes): number | null {
  const median = waits.quantile(0.5, none);
  return median === null ? null : rounded(median.seconds);
}

const none = new WaitTimes();

/** Tenths of a second. */
function rounded(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
