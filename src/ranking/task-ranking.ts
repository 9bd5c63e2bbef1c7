import type { Fairness, RankAnswer, RankedTask, RankPolicy, TaskRanking } from '../queue/rank.ts';
import { failureOf } from '../mailbox/failure.ts';
import { packBatch } from './batch.ts';
import type { Ranking } from './pool.ts';

export interface TaskRankingOptions {
  readonly ranking: Ranking;
  /** Ranker by scheduler. */
  readonly rankerOf: ReadonlyMap<string, string>;
  readonly gracePeriodSeconds: number;
}
