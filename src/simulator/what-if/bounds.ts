import { getHeapStatistics } from 'node:v8';
import type { Snapshot } from './snapshot.ts';

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
  /** Of the whole transaction, which keeps a vacuum from what ended meanwhile; then no statement goes on. */
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

/** The organisations with most tasks that wait, that workers have, or that come: so many at most. */
export function mostToDo({ schedulers, leases }: Snapshot, days: number, most: number): ReadonlySet<string> {
  const tasks = new Map<string, number>();
  const add = (organisation: string, count: number) =>
    void tasks.set(organisation, (tasks.get(organisation) ?? 0) + count);
  for (const { organisation } of leases) add(organisation, 1);
  for (const { queued, schedules, arrivals } of schedulers) {
    for (const { organisation } of queued) add(organisation, 1);
    for (const { organisation } of schedules) add(organisation, 1);
    for (const { organisation, perSecond } of arrivals) add(organisation, perSecond * days * 86_400);
  }
  const inOrder = [...tasks].toSorted(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
  return new Set(inOrder.slice(0, most).map(([organisation]) => organisation));
}
