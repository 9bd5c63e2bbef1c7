/**
 * A ranker (actors/rankers/<name>.ts, default export) is a pure function over a batch: features in, ranks out, lower
 * goes first. No I/O and no clock but `now`. Columns, not objects: a batch crosses threads as typed arrays.
 */
type Ranker = (batch: RankBatch) => Ranks;

export interface RankBatch {
  /** Epoch seconds. */
  readonly now: number;
  readonly count: number;
  /** Epoch seconds, one per task. */
  readonly createdAt: Float64Array;
  /** Epoch seconds of the last run; NaN where never or not known. */
  readonly lastRunAt: Float64Array;
  /** Epoch seconds of the task's raw file; NaN where not known. */
  readonly occurredAt: Float64Array;
  /** 1 where a person pushed it with priority 1. */
  readonly manual: Uint8Array;
  /** Index into `organisations`. */
  readonly organisation: Uint32Array;
  readonly organisations: readonly string[];
  /** Seconds. */
  readonly gracePeriod: number;
}

export interface Ranks {
  /** Whole numbers within ±2^53, one per task; of a fair ranker costs. */
  readonly ranks: Float64Array;
}

/**
 * Named exports a ranker file may have beside its default:
 * - `fair = true`: it answers costs, and the queue deals the ranks out by them, in turns of the organisations' weights
 *   (fair-share); of
 *   pushed priorities only 1 is kept;
 * - `explicitPriorities = 'manual-only'`: of pushed priorities only 1 is kept, others are ranked;
 * - `inlineBelow = n`: vouches that it is total and quick, so that batches smaller than n skip the pool.
 */
export interface RankerModule {
  readonly default: Ranker;
  readonly fair?: boolean;
  readonly explicitPriorities?: 'manual-only';
  readonly inlineBelow?: number;
}
