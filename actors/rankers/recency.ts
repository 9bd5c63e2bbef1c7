import type { RankBatch, Ranks } from '../../src/protocol/ranking.ts';

const manual = 1;
const neverRun = 2;
const longestAgo = 3;
const justRun = 1_000;
/** From this long after the grace period on, all are equally late. */
const window = 7 * 86_400;

/**
 * mula's older boefje ranker: a person's task 1, what never ran 2, then 3 (ran long ago) to 1000 (its grace period has
 * just ended). mula counts the time since by `.seconds`, which forgets whole days (#5117); this is the total. mula gives
 * a task that is still in its grace period -1, which would put it first: here it is last.
 */
export default function rank(batch: RankBatch): Ranks {
  const ranks = new Float64Array(batch.count);
  for (let at = 0; at < batch.count; at += 1) {
    ranks[at] = batch.manual[at] === 1 ? manual : byAge(batch.now - batch.lastRunAt[at]! - batch.gracePeriod);
  }
  return { ranks };
}

/** @param since seconds since the grace period ended; NaN where it never ran. */
function byAge(since: number): number {
  if (Number.isNaN(since)) return neverRun;
  const share = Math.min(Math.max(since / window, 0), 1);
  return Math.floor(longestAgo + (justRun - longestAgo) * (1 - share));
}

/** 0.03 µs a task at most: src/ranking/pool.ts has the numbers. */
export const inlineBelow = 100_000;
