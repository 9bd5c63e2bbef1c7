import type { RankBatch, Ranks } from '../../src/protocol/ranking.ts';
import { fairCost } from '../../src/tasks/task.ts';

/**
 * Start-time fair queueing (Goyal, Vin and Cheng, 1996): organisations take turns. Each task costs its organisation the
 * same, and the queue deals the ranks out by that (docs/queue-semantics.md, "Fair share", has rule and bound): a burst
 * of a hundred thousand tasks in one organisation spreads over the ranks that follow, and another's single task goes
 * behind two of each organisation at most.
 */
export default function rank(batch: RankBatch): Ranks {
  return { ranks: new Float64Array(batch.count).fill(fairCost) };
}

export const fair = true;
/** Its batches are pushes, and must not wait for a thread that is busy. */
export const inlineBelow = 100_000;
