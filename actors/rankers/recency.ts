import type { RankBatch, Ranks } from '../../src/protocol/ranking.ts';

const manual = 1;
const neverRan = 2;
const longestAgo = 3;
const justRan = 1_000;
/** From this long after the grace period on, all are equally late. */
const window = 7 * 86_400;
const minute = 60;

/**
 * mula's older boefje ranker, with ageing. mula gives what never ran the place 2, then 3 (ran long ago) to 1000 (its
 * grace period has just ended): beside an endless stream of new tasks one at 1000 is never popped. Here a place counts
 * as a minute of waiting:
 *
 *     rank = epoch second in whose minute the task was created + 60 × (place − 2)
 *
 * So a task is overtaken only by those that are created within 998 minutes (16 h 38 min) after it: at the place 1000 by
 * all that never ran, at 2 by none. Within a minute of the clock the order is mula's. docs/queue-semantics.md,
 * "Recency", has the reasons.
 *
 * A person's task is 1, before all. mula counts the time since the last run by `.seconds`, which forgets whole days
 * (#5117); this is the total. mula gives a task that is still in its grace period -1, which would put it first: here it
 * is last.
 */
export default function rank(batch: RankBatch): Ranks {
  const ranks = new Float64Array(batch.count);
  for (let at = 0; at < batch.count; at += 1) {
    const createdAt = batch.createdAt[at]!;
    const place = placeOf(createdAt - batch.lastRunAt[at]! - batch.gracePeriod);
    ranks[at] = batch.manual[at] === 1 ? manual : minute * (Math.floor(createdAt / minute) + place - neverRan);
  }
  return { ranks };
}

/** @param since seconds since the grace period ended, when the task was created; NaN where it never ran. */
function placeOf(since: number): number {
  if (Number.isNaN(since)) return neverRan;
  const share = Math.min(Math.max(since / window, 0), 1);
  return Math.floor(longestAgo + (justRan - longestAgo) * (1 - share));
}

/** A pushed 1000 was mula's last place; beside ranks that begin at the epoch second it would be the first, and starve all others. */
export const explicitPriorities = 'manual-only';
/** 0.03 µs a task at most: src/ranking/pool.ts has the numbers. */
export const inlineBelow = 100_000;
