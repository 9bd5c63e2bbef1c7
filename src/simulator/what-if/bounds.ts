import { getHeapStatistics } from 'node:v8';

/** A million tasks and as many schedules of 200 organisations took 2.7 GB, two runs included. */
const bytesEach = 3_000;
const mostRows = 1_000_000;

/** As many tasks of a scheduler as the memory of this process takes. */
export function rowsHere(): number {
  return Math.min(mostRows, Math.floor(getHeapStatistics().heap_size_limit / bytesEach));
}

export interface HistoryBounds {
  /** Organisations and boefjes of a scheduler whose tasks no schedule makes. */
  readonly groups: number;
  /** Boefjes or normalizers of a scheduler whose tasks are told apart. */
  readonly plugins: number;
}

export interface SnapshotBounds extends HistoryBounds {
  /** Of each scheduler, as schedules are. */
  readonly queued: number;
  readonly schedules: number;
  readonly leases: number;
  /** Of what is little: virtual times of a scheduler, intervals, keys of limits, weights. */
  readonly each: number;
  /** Of the whole transaction: it keeps a vacuum from what ended meanwhile. */
  readonly seconds: number;
}

/** As much as the memory of this process takes. */
export function boundsHere(): SnapshotBounds {
  const rows = rowsHere();
  return {
    queued: rows,
    schedules: rows,
    leases: 100_000,
    each: 100_000,
    groups: 100_000,
    plugins: 2_000,
    seconds: 120,
  };
}
