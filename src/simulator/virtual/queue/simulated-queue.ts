import type { SetLimit } from '../../../control/limit-bodies.ts';
import type { PauseKey } from '../../../queue/maintenance/pauses.ts';
import { fairCost, isFinished } from '../../../tasks/task.ts';
import { setAside } from './limiter.ts';
import { MemoryLimits } from './memory-limits.ts';
import { holds, isSame } from './pauses.ts';
import { popOrder, type Row } from './rows.ts';
import { type CommonParts, SchedulerTasks } from './scheduler-tasks.ts';

interface SimulatedQueueOptions extends Omit<
  CommonParts,
  'byId' | 'leases' | 'nextNumber' | 'weightOf' | 'isHeld' | 'isPausing' | 'limits'
> {
  readonly limits: readonly SetLimit[];
  /** By key, where it begins as a database has it: until when a rate leaves no room. */
  readonly limitArrivals?: ReadonlyMap<string, number>;
  /** Between looks at all keys of limits, by how many there are. */
  readonly limitRestMs?: (keys: number) => number;
  /** Rows that were held may be popped. */
  readonly freed: (scheduler: string) => void;
}

/** The queue of all schedulers in memory, with the decisions of the statements in sql/queue; docs/simulation.md. */
export class SimulatedQueue {
  readonly options: SimulatedQueueOptions;
  readonly byId = new Map<string, Row>();
  /** Rows that have a lease. */
  readonly leases = new Set<Row>();
  /** By `scheduler organisation`; 1 where absent. */
  readonly weights = new Map<string, number>();
  readonly #schedulers = new Map<string, SchedulerTasks>();
  readonly limits: MemoryLimits;
  readonly #pauses: PauseKey[] = [];
  #number = 0;

  constructor(options: SimulatedQueueOptions) {
    this.options = options;
    this.limits = new MemoryLimits({
      limits: options.limits,
      limitArrivals: options.limitArrivals ?? new Map(),
      restMs: options.limitRestMs ?? (() => 0),
      now: options.now,
      rowsOf: (scheduler) => this.of(scheduler).rows,
      isPaused: (row) => this.#isPaused(row.scheduler, row.organisation, row.plugin),
      isPausing: () => this.#pauses.length > 0,
      freed: options.freed,
      after: options.after,
    });
  }

  of(scheduler: string): SchedulerTasks {
    const known = this.#schedulers.get(scheduler);
    if (known !== undefined) return known;
    const made = new SchedulerTasks(
      {
        ...this.options,
        byId: this.byId,
        leases: this.leases,
        limits: this.limits,
        nextNumber: () => (this.#number += 1),
        weightOf: (of, organisation) => this.weights.get(`${of} ${organisation}`) ?? 1,
        isHeld: (...of) => this.isHeld(...of),
        isPausing: (of) => this.#pauses.some((pause) => pause.scheduler === of),
      },
      scheduler,
    );
    this.#schedulers.set(scheduler, made);
    return made;
  }

  schedulers(): Iterable<SchedulerTasks> {
    return this.#schedulers.values();
  }

  /** What ended before then, and no decision asks for: the newest of what runs again stays. */
  forgetFinished(before: number, forgotten: (id: string) => void): void {
    for (const row of this.byId.values()) {
      if (!isFinished(row.status) || row.modifiedAt >= before) continue;
      const tasks = this.of(row.scheduler);
      const isLatest = tasks.latest(row.hash) === row;
      if (isLatest && row.type !== 'normalizer') continue;
      this.byId.delete(row.id);
      forgotten(row.id);
      if (isLatest) tasks.history.delete(row.hash);
    }
  }

  isHeld(scheduler: string, organisation: string, plugin: string | null): boolean {
    return this.#isPaused(scheduler, organisation, plugin) || this.limits.mayConcern(scheduler, organisation, plugin);
  }

  #isPaused(scheduler: string, organisation: string, plugin: string | null): boolean {
    return this.#pauses.some((pause) => holds(pause, { scheduler, organisation, plugin }));
  }

  /** Whether there is that very pause. */
  hasPause(key: PauseKey): boolean {
    return this.#pauses.some((known) => isSame(known, key));
  }

  pause(pause: PauseKey): void {
    this.#pauses.push(pause);
    const { rows } = this.of(pause.scheduler);
    for (const row of rows.byHash.values()) {
      // What a limit has parked stays where it is.
      if (row.held || !holds(pause, row)) continue;
      rows.hold(row);
      this.limits.left(row);
      this.limits.arrived(row);
    }
  }

  /**
   * Ends that pause, once where it was set several times. What comes back with a rank that has passed goes behind the last of its
   * flow: hold.sql. @returns whether there was one
   */
  resume(key: PauseKey): boolean {
    const place = this.#pauses.findIndex((known) => isSame(known, key));
    if (place < 0) return false;
    this.#pauses.splice(place, 1);
    const { rows, fair } = this.of(key.scheduler);
    const isFair = this.options.policyOf(key.scheduler).fair;
    const back = [...rows.byHash.values()]
      .filter((row) => row.held && holds(key, row))
      .filter(({ scheduler, organisation, plugin, parkedAt }) =>
        parkedAt === setAside
          ? !this.#isPaused(scheduler, organisation, plugin)
          : !this.isHeld(scheduler, organisation, plugin),
      )
      .toSorted(popOrder);
    // All flows begin where they are before anything comes back.
    const starts = new Map(
      isFair ? back.flatMap(({ flow }) => (flow === null ? [] : [[flow, fair.startOf(flow)]])) : [],
    );
    for (const row of back) {
      row.parkedAt = null;
      const start = row.flow === null ? undefined : starts.get(row.flow);
      let { rank } = row;
      if (start !== undefined) {
        const next = start + fair.stepOf(row.flow!, fairCost);
        starts.set(row.flow!, next);
        rank = Math.max(rank, next);
      }
      if (this.isHeld(row.scheduler, row.organisation, row.plugin)) {
        rows.moveHeld(row, rank);
        // What a limit may concern is looked at again.
        this.limits.arrived(row);
      } else rows.release(row, rank);
    }
    for (const row of back) this.options.happened.queued(row, true);
    return true;
  }
}
