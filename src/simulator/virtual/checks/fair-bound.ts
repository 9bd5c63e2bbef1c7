import type { Journal } from '../journal.ts';
import type { Unit } from '../queue/scheduler-tasks.ts';
import { lastHeld } from '../queue/queued-rows.ts';
import { about, type Flow, type Row } from '../queue/rows.ts';

/** Of those that find nothing queued of their flow one in so many is followed: each costs a look at all flows. */
const followed = 7;
/**
 * A task waits for at most so many of each flow of another organisation of equal weight: docs/queue-semantics.md, "Fair share". An
 * organisation's own images have a share each, and begin where the queue is: one may go before another.
 */
const mostOfOthers = 2;

/** Follows tasks of flows with nothing queued until they are popped, and counts what others got meanwhile. */
export class FairBound {
  readonly #journal: Journal;
  readonly #served = new Map<Flow, number>();
  readonly #waiting = new Map<Row, ReadonlyMap<Flow, number>>();
  /** Tasks that came back: their ranks are older, and they go first. */
  readonly #back = new Set<Row>();
  #arrived = 0;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  forget(): void {
    this.#waiting.clear();
  }

  queued(row: Row, again: boolean): void {
    // What is held goes with its old rank once it may: limits keep ranks.
    if (again || row.held) {
      this.#back.add(row);
      this.#waiting.delete(row);
      return;
    }
    // What a limit holds has its rank, and what comes after it goes behind that.
    if (row.flow === null || row.manual || row.flow.ready > 1 || lastHeld(row.flow) !== null) return;
    if ((this.#arrived += 1) % followed === 0) this.#waiting.set(row, new Map(this.#served));
  }

  /** It was cancelled, or ended. */
  left(row: Row): void {
    this.#waiting.delete(row);
    if (row.status !== 'queued') this.#back.delete(row);
  }

  claimed(unit: Unit): void {
    const [head, ...members] = unit;
    for (const row of members) this.#waiting.delete(row);
    this.#isInTime(head!);
    const { flow } = head!;
    if (flow !== null && !head!.manual && !this.#back.delete(head!))
      this.#served.set(flow, (this.#served.get(flow) ?? 0) + 1);
  }

  #isInTime(row: Row): void {
    const before = this.#waiting.get(row);
    if (before === undefined) return;
    this.#waiting.delete(row);
    for (const [flow, served] of this.#served) {
      const passed = served - (before.get(flow) ?? 0);
      if (flow.organisation !== row.organisation && passed > mostOfOthers)
        this.#journal.violate(
          'fair-share',
          `${about(row)} waited for ${passed} tasks of ${flow.organisation} of ${flow.image.name || 'no image'}`,
        );
    }
  }
}
