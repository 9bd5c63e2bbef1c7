import type { Hours } from '../../../queue/limits/hours.ts';
import type { KeyedLimit, LimitedTask } from '../../../queue/limits/limit.ts';
import { Heap } from '../heap.ts';
import { popOrder, type Row } from './rows.ts';

/** A limit, or a window (`hours`). */
export interface SimulatedLimit extends KeyedLimit {
  /** Milliseconds between two claims of a key; null: no rate. */
  readonly spacingMs: number | null;
  readonly burst: number;
  readonly concurrency: number | null;
  readonly hours: Hours | null;
}

/** A key: what was claimed of it, and what is under way, by unit. */
export interface Limiter {
  readonly limit: SimulatedLimit;
  /** GCRA's theoretical arrival time. */
  arrival: number;
  readonly admitted: Map<string, Set<Row>>;
  readonly leased: Map<string, Set<Row>>;
  readonly parked: Heap<Row>;
}

export function newLimiter(limit: SimulatedLimit): Limiter {
  return {
    limit,
    arrival: 0,
    admitted: new Map(),
    leased: new Map(),
    parked: new Heap((a, b) => popOrder(a, b) < 0),
  };
}

export function limitedOf({ scheduler, organisation, plugin, image, manual, data }: Row): LimitedTask {
  const { input_ooi: ooi = null } = data as { input_ooi?: string | null };
  return { scheduler, organisation, plugin, image: image === '' ? null : image, ooi, manual };
}

export function addTo(units: Map<string, Set<Row>>, unit: string, row: Row): void {
  const known = units.get(unit);
  if (known === undefined) units.set(unit, new Set([row]));
  else known.add(row);
}

export function drop(units: Map<string, Set<Row>>, unit: string, row: Row): void {
  const rows = units.get(unit);
  rows?.delete(row);
  if (rows?.size === 0) units.delete(unit);
}
