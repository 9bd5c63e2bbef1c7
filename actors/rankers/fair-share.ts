import type { RankBatch, Ranks } from '../../src/protocol/ranking.ts';

/**
 * Start-time fair queueing over organisations (Goyal, Vin and Cheng, 1996). Each task gets its organisation's start tag,
 * `max(virtual time, tag)`, and moves the tag on by cost / weight. So a burst of a hundred thousand tasks in one
 * organisation spreads over the tags that follow, and another's single task, tagged with the virtual time, waits for one
 * task of each organisation at most. An organisation of weight 2 moves half as far per task and so gets twice the share.
 * A person's task is 1, before all tags, and moves none.
 *
 * `virtualTime` is the rank at the head of the queue, persons' tasks aside; where nothing else is queued, the greatest
 * stored tag. Otherwise an organisation without a tag would start behind all others in tags, and so before them in turn.
 */
export default function rank(batch: RankBatch): Ranks {
  const ranks = new Float64Array(batch.count);
  const tags = Float64Array.from(batch.tags);
  const floor = Math.max(firstTag, Math.ceil(batch.virtualTime));
  for (let at = 0; at < batch.count; at += 1) {
    if (batch.manual[at] === 1) {
      ranks[at] = 1;
      continue;
    }
    const organisation = batch.organisation[at]!;
    const start = Math.max(floor, tags[organisation]!);
    ranks[at] = start;
    tags[organisation] = start + stepOf(batch.weights[organisation]!);
  }
  return { ranks, tags };
}

/** 1 is a person's. */
const firstTag = 2;
/**
 * Of one task at weight 1. Tags are whole numbers, so this bounds how exact a weight is (3 gives 333, 0.1 % off), and how
 * many tasks may pass before 2^53: 9 × 10^12, which all of KAT's planned load in one organisation reaches in 13 000 years.
 */
const cost = 1_000;

function stepOf(weight: number): number {
  return Math.max(1, Math.round(cost / weight));
}

export const stateful = true;
export const explicitPriorities = 'manual-only';
/** Its batches are pushes, and must not hold a transaction open for a thread that is busy. */
export const inlineBelow = 100_000;
