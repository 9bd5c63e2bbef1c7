import { RotaError } from './errors.ts';

/**
 * The database's time, as each thread of this process reads it: a clock that all of them share and that no step of the
 * wall clock moves, and how far the database is ahead of it. Reading asks no service and takes less than a microsecond. The
 * main thread keeps it right (src/postgres/database-clock.ts), through memory that they share, so that an actor has it from
 * its first moment on.
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
   * @returns the database's time, in whole epoch milliseconds.
   * @throws RotaError DATABASE_UNAVAILABLE before it was first heard: a guess would be a deadline at any time.
   */
  now(): number {
    const aheadUs = Atomics.load(this.#aheadUs, 0);
    if (aheadUs === 0n)
      throw new RotaError('DATABASE_UNAVAILABLE', 'the database has not told its time yet: try again');
    return Math.floor(this.#monotonic() + Number(aheadUs) / 1_000);
  }

  /** So many milliseconds is the database's time ahead of the monotonic one. */
  set(aheadMs: number): void {
    Atomics.store(this.#aheadUs, 0, BigInt(Math.round(aheadMs * 1_000)));
  }
}

/** Milliseconds since some moment, the same one in all threads of this process: performance.now() begins anew in each. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
