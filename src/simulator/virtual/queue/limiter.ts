import type { SetLimit } from '../../../control/limit-bodies.ts';
import { windowAt, type WindowState } from '../../../queue/limits/hours.ts';
import type { LimitedTask } from '../../../queue/limits/limit.ts';
import { Heap } from '../heap.ts';
import { ooiOf, popOrder, type Row } from './rows.ts';

/** In the place of a key: a pause holds it, and brings it back when it ends. */
export const setAside = '';

/** A key: what was claimed of it, and what is under way, by unit. */
export interface Limiter {
  readonly limit: SetLimit;
  /** GCRA's theoretical arrival time. */
  arrival: number;
  readonly admitted: Map<string, Set<Row>>;
  readonly leased: Map<string, Set<Row>>;
  readonly parked: Heap<Row>;
}

export function limiterOf(limit: SetLimit, arrival: number): Limiter {
  const parked = new Heap<Row>((a, b) => popOrder(a, b) < 0);
  return { limit, arrival, admitted: new Map(), leased: new Map(), parked };
}

export function limitedOf({ scheduler, organisation, plugin, image, manual, data }: Row): LimitedTask {
  return { scheduler, organisation, plugin, image: image === '' ? null : image, ooi: ooiOf(data), manual };
}

export function addTo<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const known = sets.get(key);
  if (known === undefined) sets.set(key, new Set([value]));
  else known.add(value);
}

export function drop(units: Map<string, Set<Row>>, unit: string, row: Row): void {
  const rows = units.get(unit);
  rows?.delete(row);
  if (rows?.size === 0) units.delete(unit);
}

/** Windows as they are at a moment; each is worked out when it changes. */
export class Windows {
  readonly #now: () => number;
  readonly #states = new Map<string, WindowState>();

  constructor(now: () => number) {
    this.#now = now;
  }

  isOpen({ name, hours }: SetLimit): boolean {
    const now = this.#now();
    const known = this.#states.get(name);
    if (known !== undefined && known.until !== null && now < known.until) return known.open;
    const state = windowAt(hours!, now);
    this.#states.set(name, state);
    return state.open;
  }

  /** When it changes next, as far as it was looked at; null: never. */
  until(name: string): number | null | undefined {
    return this.#states.get(name)?.until;
  }
}
