/**
 * How much of the queue's work goes into one statement, and how many statements run at once. `make bench ARGS="--tune"`
 * finds them for a machine: docs/tuning.md.
 */
export interface Bounds {
  /** Claims of one scheduler. More than four rescan each other's locked rows. */
  readonly claimsInFlight: number;
  /** Units of one claim: its rows travel through one statement. */
  readonly claimUnits: number;
  /** Sets of pushes of one scheduler, and sets of patches. */
  readonly writesInFlight: number;
  /** Tasks of one push statement. */
  readonly pushTasks: number;
}

/** Chosen on two cores shared with Postgres and the clients; docs/tuning.md has what others bought. */
export const defaultBounds: Bounds = { claimsInFlight: 4, claimUnits: 1_000, writesInFlight: 4, pushTasks: 1_000 };
