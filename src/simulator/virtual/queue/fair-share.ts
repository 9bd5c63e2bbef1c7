import { bandOf, lastHeld, type QueuedRows } from './queued-rows.ts';
import type { Flow, Row } from './rows.ts';

/** Ranks of what a person put first begin here; those of other tasks at 1. */
const manualFrom = -(2 ** 52);

/** What fair-share asks of the rest of the queue. */
interface FairShareParts {
  weightOf(organisation: string): number;
  /** Whether a pause holds all of an organisation; or a limit or window may, while there is a pause of anything. */
  isHeld(organisation: string): boolean;
}

/** The virtual times of one scheduler, and where its flows begin: rota_flows in sql/migrations. */
export class FairShare {
  readonly #rows: QueuedRows;
  readonly #parts: FairShareParts;
  /** By image, those of what a person put first under another key. What a killed supervisor did not store is lost. */
  readonly #stored = new Map<string, number>();
  readonly #raised = new Map<string, number>();

  constructor(rows: QueuedRows, parts: FairShareParts) {
    this.#rows = rows;
    this.#parts = parts;
  }

  /** The rank after which the next task of a flow comes. */
  startOf(flow: Flow): number {
    const time = this.#timeOf(flow);
    const queued = this.#rows.lastRank(flow) ?? -Infinity;
    const held = this.#parts.isHeld(flow.organisation) ? (lastHeld(flow) ?? -Infinity) : -Infinity;
    return Math.max(time, queued, held);
  }

  /** How far a task of that cost moves a flow. */
  stepOf(flow: Flow, cost: number): number {
    const step = Math.floor(cost / this.#parts.weightOf(flow.organisation) + 0.5);
    return Math.max(1, Math.min(1_000_000_000, step));
  }

  /** Claims in pop order; of each unit the first. */
  dispatched(row: Row): void {
    const band = bandOf(row.rank);
    if (band === 1) return;
    const key = keyOf(row.image, band === 0);
    if (row.rank > (this.#known(key) ?? -Infinity)) this.#raised.set(key, row.rank);
  }

  /** What claims raised is stored from now on. */
  save(): void {
    for (const [key, rank] of this.#raised) this.#stored.set(key, rank);
    this.#raised.clear();
  }

  /** As it is stored, where a queue begins as a database has it. */
  restore(image: string, manual: boolean, rank: number): void {
    this.#stored.set(keyOf(image, manual), rank);
  }

  /** The process ended before it could store them. */
  lose(): void {
    this.#raised.clear();
  }

  /** Those of images of which nothing is queued join again at the greatest, of which one stays: forget-virtual-times.sql. */
  forget(): void {
    const queued = new Set([...this.#rows.byHash.values()].map(({ image }) => image));
    for (const manual of [true, false]) {
      const times = [...this.#stored].filter(([key]) => isManual(key) === manual);
      const greatest = times.toSorted(([a, one], [b, other]) => other - one || (a > b ? -1 : 1)).at(0)?.[0];
      for (const [key] of times) if (key !== greatest && !queued.has(key.slice(1))) this.#stored.delete(key);
    }
  }

  /** An image with no task that may be popped has no virtual time of its own: it joins again at the head. */
  #timeOf({ image, manual }: Flow): number {
    const key = keyOf(image.name, manual);
    const known = this.#known(key);
    if (known !== undefined && image.ready[manual ? 'manual' : 'other'] > 0) return known;
    const head = this.#rows.first(manual ? 0 : 2)?.rank ?? this.#greatest(manual);
    const own = Math.max(known ?? -Infinity, head);
    if (own !== known) this.#stored.set(key, Math.max(own, this.#stored.get(key) ?? -Infinity));
    return own;
  }

  #greatest(manual: boolean): number {
    let greatest = manual ? manualFrom : 1;
    for (const times of [this.#stored, this.#raised])
      for (const [key, rank] of times) if (isManual(key) === manual && rank > greatest) greatest = rank;
    return greatest;
  }

  #known(key: string): number | undefined {
    const [stored, raised] = [this.#stored.get(key), this.#raised.get(key)];
    if (stored === undefined || raised === undefined) return stored ?? raised;
    return Math.max(stored, raised);
  }
}

function keyOf(image: string, manual: boolean): string {
  return manual ? `!${image}` : `-${image}`;
}

function isManual(key: string): boolean {
  return key.startsWith('!');
}
