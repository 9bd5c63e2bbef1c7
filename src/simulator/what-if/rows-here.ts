import { getHeapStatistics } from 'node:v8';

/** A million tasks and as many schedules of 200 organisations took 2.7 GB, two runs included. */
const bytesEach = 3_000;
const mostRows = 1_000_000;

/** As many tasks of a scheduler as the memory of this process takes. */
export function rowsHere(): number {
  return Math.min(mostRows, Math.floor(getHeapStatistics().heap_size_limit / bytesEach));
}
