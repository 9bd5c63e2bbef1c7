import type { RankBatch, Ranks } from '../protocol/ranking.ts';

/** Ranks by a ranker's name. What the queue uses; pool.ts implements it. */
export interface Ranking {
  /**
   * @throws RotaError RANK_FAILED with `fields.reason` `threw`, `nonsense` or `hung`: this batch alone has failed;
   *   MAILBOX_FULL where too many batches wait; BAD_CONFIG for a ranker there is not.
   */
  rank(ranker: string, batch: RankBatch): Promise<Ranks>;
  /** @throws RotaError BAD_CONFIG: no such ranker (the message names those there are), or its file is not one. */
  describe(ranker: string): Promise<RankerTraits>;
  status(): RankingStatus;
  /** Bytes of heap in use by each thread that there is now. */
  heaps(): Promise<readonly number[]>;
  /** Batches in flight fail; no thread is left. */
  close(): Promise<void>;
}

/** What a ranker's file says of itself; src/protocol/ranking.ts. */
export interface RankerTraits {
  readonly stateful: boolean;
  readonly explicitPriorities: 'manual-only' | null;
  /** 0 where the ranker does not vouch for itself. */
  readonly inlineBelow: number;
}

export interface RankingStatus {
  readonly threads: number;
  readonly waiting: number;
  /** Of the pool's threads since they started: 0 to 1. */
  readonly utilisation: number;
  readonly ranked: number;
  readonly failed: number;
}
