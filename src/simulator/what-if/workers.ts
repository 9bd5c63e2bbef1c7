import type { VirtualClock } from '../virtual/clock.ts';
import type { Unit } from '../virtual/queue/scheduler-tasks.ts';
import type { Row } from '../virtual/queue/rows.ts';
import type { Settlement } from '../virtual/queue/settlement.ts';
import type { SimulatedQueue } from '../virtual/queue/simulated-queue.ts';
import type { Service } from './service-times.ts';

interface MeasuredWorkersOptions {
  readonly clock: VirtualClock;
  readonly queue: SimulatedQueue;
  readonly settlement: Settlement;
  /** By scheduler. */
  readonly counts: ReadonlyMap<string, number>;
  readonly services: ReadonlyMap<string, Service>;
  /** A task completed: what follows from it. */
  readonly completed: (row: Row) => void;
}

/** Any: what a worker begins it ends, so no lease is swept. */
const leaseMs = 366 * 86_400_000;

/** Workers that take as long as was measured, pop without a filter, and pop again at once. */
export class MeasuredWorkers {
  readonly #options: MeasuredWorkersOptions;
  readonly #busy = new Map<string, number>();
  /** Claimed before the days began, and not begun. */
  readonly #inHand = new Map<string, Unit[]>();
  readonly #woken = new Set<string>();

  constructor(options: MeasuredWorkersOptions) {
    this.#options = options;
  }

  /** A unit that a worker had as the days began, and how long it has worked on it; null: not yet. */
  resume(unit: Unit, elapsedMs: number | null): void {
    const { scheduler } = unit[0]!;
    if (elapsedMs !== null) return this.#begin(unit, elapsedMs);
    const inHand = this.#inHand.get(scheduler);
    if (inHand === undefined) this.#inHand.set(scheduler, [unit]);
    else inHand.push(unit);
  }

  /** Something may be popped. */
  wake(scheduler: string): void {
    if (this.#woken.has(scheduler)) return;
    this.#woken.add(scheduler);
    this.#options.clock.after(0, () => {
      this.#woken.delete(scheduler);
      this.#serve(scheduler);
    });
  }

  #serve(scheduler: string): void {
    const { queue, counts } = this.#options;
    const inHand = this.#inHand.get(scheduler) ?? [];
    for (;;) {
      const idle = (counts.get(scheduler) ?? 0) - (this.#busy.get(scheduler) ?? 0);
      if (idle <= 0) return;
      const held = inHand.shift();
      if (held !== undefined) {
        this.#begin(held, 0);
        continue;
      }
      if (queue.of(scheduler).rows.ready === 0) return;
      const units = queue.of(scheduler).claim({ units: idle, leaseMs, via: 'nats', worker: null });
      if (units.length === 0) return;
      for (const unit of units) this.#begin(unit, 0);
    }
  }

  /** Of a group one run serves all. */
  #begin(unit: Unit, elapsedMs: number): void {
    const { clock, services } = this.#options;
    const { scheduler, plugin } = unit[0]!;
    this.#busy.set(scheduler, (this.#busy.get(scheduler) ?? 0) + 1);
    clock.after(services.get(scheduler)!.draw(plugin, elapsedMs), () => this.#end(unit));
  }

  #end(unit: Unit): void {
    const { queue, settlement, services, completed } = this.#options;
    const { scheduler, plugin } = unit[0]!;
    const completes = services.get(scheduler)!.completes(plugin);
    for (const row of unit) {
      settlement.apply({ id: row.id, leaseId: row.lease!.id, status: completes ? 'completed' : 'failed' });
      queue.of(scheduler).forget(row);
      if (completes) completed(row);
    }
    this.#busy.set(scheduler, this.#busy.get(scheduler)! - 1);
    this.#serve(scheduler);
  }
}
