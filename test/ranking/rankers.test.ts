import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import createdAt from '../../actors/rankers/created-at.ts';
import fairShare from '../../actors/rankers/fair-share.ts';
import rawFileAge from '../../actors/rankers/raw-file-age.ts';
import recency from '../../actors/rankers/recency.ts';
import type { RankedTask } from '../../src/queue/push/rank.ts';
import { batchOf, faultOf, type RankContext } from '../../src/ranking/batch.ts';

const day = 86_400;
const now = 1_750_000_000;
const context: RankContext = { now: now * 1_000, gracePeriodSeconds: day };
/** Epoch seconds, as rankers have them. */
const seconds = fc.double({ min: 1_000_000_000, max: 2 * now, noNaN: true });
const milliseconds = seconds.map((moment) => moment * 1_000);
const feature = fc.record({
  createdAt: milliseconds,
  lastRunAt: fc.option(milliseconds),
  occurredAt: fc.option(milliseconds),
  manual: fc.boolean(),
  organisation: fc.constantFrom('aa', 'bb', 'cc'),
});
const task = (organisation: string, more: Partial<RankedTask> = {}): RankedTask => ({
  createdAt: now * 1_000,
  lastRunAt: null,
  occurredAt: null,
  manual: false,
  organisation,
  ...more,
});
/** The place on mula's scale, each a minute; `now` is none's first second. */
const recencyOf = (lastRunAt?: number) => {
  const lastRun = { lastRunAt: lastRunAt === undefined ? null : lastRunAt * 1_000 };
  return (recency(batchOf([task('aa', lastRun)], context)).ranks[0]! - (now - (now % 60))) / 60 + 2;
};

test.each([
  ['created-at', createdAt],
  ['recency', recency],
  ['raw-file-age', rawFileAge],
])('%s gives every task a whole rank, and a person’s task 1, before all others', (_name, ranker) => {
  fc.assert(
    fc.property(fc.array(feature), (tasks) => {
      const batch = batchOf(tasks, context);
      const answer = ranker(batch);
      expect(faultOf(batch, answer)).toBeNull();
      for (const [at, { manual }] of tasks.entries()) {
        if (manual) expect(answer.ranks[at]).toBe(1);
        else expect(answer.ranks[at]).toBeGreaterThan(1);
      }
    }),
  );
});

test('recency: of what is pushed at once what never ran goes first, then what ran longest ago, at the places 3 to 1000', () => {
  expect(recencyOf()).toBe(2);
  expect(recencyOf(now - day)).toBe(1_000);
  expect(recencyOf(now - 8 * day)).toBe(3);
  // Whole days count: mula's ranker took two days and no seconds for no time at all (#5117).
  expect(recencyOf(now - 3 * day)).toBeLessThan(recencyOf(now - 2 * day));
  fc.assert(
    fc.property(seconds, seconds, (one, other) => {
      const [earlier, later] = [Math.min(one, other), Math.max(one, other)];
      expect(recencyOf(earlier)).toBeLessThanOrEqual(recencyOf(later));
      expect(recencyOf(later)).toBeGreaterThanOrEqual(3);
      expect(recencyOf(later)).toBeLessThanOrEqual(1_000);
    }),
  );
});

test('raw-file-age: the oldest raw file goes first, however late its task was made', () => {
  const batch = batchOf(
    [task('aa', { occurredAt: (now - 10) * 1_000 }), task('aa', { occurredAt: (now - 500.5) * 1_000 })],
    context,
  );
  expect([...rawFileAge(batch).ranks]).toEqual([now - 10, now - 501]);
  expect(rawFileAge(batchOf([task('aa')], context)).ranks[0]).toBe(now);
});

test('fair-share: each task costs its organisation the same', () => {
  const batch = batchOf([task('aa', { manual: true }), task('aa'), task('bb')], context);
  expect([...fairShare(batch).ranks]).toEqual([1_000, 1_000, 1_000]);
});
