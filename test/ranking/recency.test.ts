import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import recency from '../../actors/rankers/recency.ts';
import type { RankedTask } from '../../src/queue/push/rank.ts';
import { batchOf } from '../../src/ranking/batch.ts';

const second = 1_000;
const minute = 60 * second;
const day = 1_440 * minute;
/** docs/queue-semantics.md, "Recency": 998 places of a minute each. */
const bound = 998 * minute;
/** A minute of the clock begins. */
const from = 29_166_667 * minute;

interface Push {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Milliseconds since the last run when it is pushed; null where it never ran. */
  readonly ago: number | null;
  readonly manual: boolean;
}

interface Queued extends Push {
  readonly rank: number;
  /** Of its push among all. */
  readonly order: number;
}

const ago = fc.option(fc.oneof(fc.nat(9 * day), fc.constantFrom(0, day, 8 * day)), { freq: 4 });

const context = (now: number) => ({ now, gracePeriodSeconds: day / second });

/** Each push is a batch of its own, as at its time. */
function queuedBy(pushes: readonly Push[]): Queued[] {
  return pushes
    .toSorted((a, b) => a.at - b.at)
    .map((push, order) => {
      const task: RankedTask = {
        organisation: 'aa',
        lastRunAt: push.ago === null ? null : push.at - push.ago,
        occurredAt: null,
        manual: push.manual,
      };
      const { ranks } = recency(batchOf([task], context(push.at)));
      return { ...push, rank: ranks[0]!, order };
    });
}

/** The queue's own: rank, then created_at, then the order of the push. */
const popOrder = (a: Queued, b: Queued) => a.rank - b.rank || a.order - b.order;

/** mula's scale: 1 by hand, 2 never ran, 3 (ran long ago) to 1000 (just ran). */
function placeInMula({ at, ago: before, manual }: Push): number {
  if (manual) return 1;
  if (before === null) return 2;
  // In seconds, as rankers have them: the same sum is rounded as theirs.
  const since = at / second - (at - before) / second - day / second;
  return Math.floor(3 + 997 * (1 - Math.min(Math.max(since / (7 * 86_400), 0), 1)));
}

test('recency: a task is overtaken by those only that were pushed within 998 minutes after it', () => {
  const at = fc.nat(3 * bound).map((after) => from + after);
  fc.assert(
    fc.property(
      fc.array(fc.record({ at, ago, manual: fc.constant(false) }), { minLength: 2, maxLength: 30 }),
      (pushes) => {
        const popped = queuedBy(pushes).toSorted(popOrder);
        for (const [place, task] of popped.entries()) {
          const late = popped.slice(0, place).filter((other) => other.at >= task.at + bound);
          expect(late).toEqual([]);
        }
      },
    ),
  );
});

test('recency: of all that comes in a minute of the clock the order is mula’s, and a person’s task goes first', () => {
  const moment = fc.oneof(fc.nat(minute - 1), fc.constant(0)).map((after) => from + after);
  const pushes = fc.array(fc.record({ at: moment, ago, manual: fc.boolean() }), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(pushes, (burst) => {
      const queued = queuedBy(burst);
      const inMula = queued.toSorted((a, b) => placeInMula(a) - placeInMula(b) || a.order - b.order);
      expect(queued.toSorted(popOrder)).toEqual(inMula);
    }),
  );
});

test('recency: beside an endless stream of tasks that never ran, one that has just run waits for 998 minutes of them', () => {
  const waits = (push: Push) => {
    const [task] = queuedBy([push]);
    let at = push.at;
    // One comes a second and one goes: the queue is never empty.
    for (; at <= push.at + 2 * bound; at += second) {
      const [newer] = queuedBy([{ at, ago: null, manual: false }]);
      if (popOrder(task!, { ...newer!, order: 1 }) < 0) break;
    }
    return at - push.at;
  };
  // At the beginning of a minute: the bound is reached, and not passed.
  expect(waits({ at: from, ago: 0, manual: false })).toBe(bound);
  expect(waits({ at: from, ago: 8 * day, manual: false })).toBe(minute);
  expect(waits({ at: from, ago: null, manual: false })).toBe(0);
});
