import { RotaError } from './errors.ts';

/**
 * The database's time, for each thread of this process: a monotonic clock that all of them share, which no step of the wall clock
 * moves, and how far the database is ahead of it. Reading it asks no service and takes less than a microsecond. The main thread
 * keeps it right (src/postgres/database-clock.ts) in shared memory, so that an actor has it from its start.
 */
export class SharedClock {
  /** To be handed to a thread. */
  readonly memory: SharedArrayBuffer;
  readonly #aheadUs: BigInt64Array;
  readonly #monotonic: () => number;

  constructor(memory = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT), monotonic = monotonicMs) {
    this.memory = memory;
    this.#aheadUs = new BigInt64Array(memory);
    this.#monotonic = monotonic;
  }

  /**
   * Bound, since it is handed on without the clock.
   *
   * @returns the database's time, in whole epoch milliseconds.
   * @throws RotaError DATABASE_UNAVAILABLE before the first reading: a guess would set wrong deadlines.
   */
  readonly now = (): number => {
    const aheadUs = Atomics.load(this.#aheadUs, 0);
    if (aheadUs === 0n)
      throw new RotaError('DATABASE_UNAVAILABLE', 'the database has not told its time yet: try again');
    return Math.floor(this.#monotonic() + Number(aheadUs) / 1_000);
  };

  /** @param aheadMs how far the database's time is ahead of the monotonic clock */
  set(aheadMs: number): void {
    Atomics.store(this.#aheadUs, 0, BigInt(Math.round(aheadMs * 1_000)));
  }
}

/** Milliseconds since one origin for all threads of this process: each thread has its own origin of performance.now(). */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
