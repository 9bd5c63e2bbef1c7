import type { RankBatch, Ranks } from '../../src/protocol/ranking.ts';
import { fairCost } from '../../src/tasks/task.ts';

/**
 * Start-time fair queueing (Goyal, Vin and Cheng, 1996) over flows: the tasks of one organisation and image. Each task follows the last
 * one of its flow, or the virtual time where that is later, by cost / weight. So a burst of a hundred thousand tasks in one organisation
 * spreads over the ranks that follow, and another's single task goes behind one task of each organisation at most. An organisation of
 * weight 2 moves half as far per task, and so gets twice the share. A person's task is 1, before all of them.
 *
 * The virtual time is the greatest rank ever dispatched, of each image: what is queued with an old rank (no runner serves it, it was
 * paused, or failed and was tried again) gives no credit to those that come. The last rank is read off the queue, not remembered: what
 * was cancelled costs nothing. That a task goes behind the virtual time, and not beside it, keeps one that pushes whenever it is served
 * from being served each time. docs/queue-semantics.md, "Fair share", has the bound.
 */
export default function rank(batch: RankBatch): Ranks {
  const ranks = new Float64Array(batch.count);
  const lasts = Float64Array.from(batch.lasts, (last, flow) =>
    Math.max(last, Math.ceil(batch.virtualTimes[flow]!), manual),
  );
  for (let at = 0; at < batch.count; at += 1) {
    if (batch.manual[at] === 1) {
      ranks[at] = manual;
      continue;
    }
    const flow = batch.flow[at]!;
    ranks[at] = lasts[flow]! += stepOf(batch.weights[flow]!);
  }
  return { ranks };
}

const manual = 1;
function stepOf(weight: number): number {
  return Math.max(1, Math.round(fairCost / weight));
}

export const stateful = true;
export const explicitPriorities = 'manual-only';
/** Its batches are pushes, and must not hold a transaction open for a thread that is busy. */
export const inlineBelow = 100_000;
