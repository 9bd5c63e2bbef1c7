import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import createdAt from '../../actors/rankers/created-at.ts';
import fairShare from '../../actors/rankers/fair-share.ts';
import rawFileAge from '../../actors/rankers/raw-file-age.ts';
import recency from '../../actors/rankers/recency.ts';
import type { Fairness, RankedTask } from '../../src/queue/push/rank.ts';
import { batchOf, faultOf, type RankContext } from '../../src/ranking/batch.ts';

const day = 86_400;
const now = 1_750_000_000;
const context: RankContext = { now: now * 1_000, gracePeriodSeconds: day, fairness: null };
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
const recencyOf = (lastRunAt?: number) =>
  recency(batchOf([task('aa', { lastRunAt: lastRunAt === undefined ? null : lastRunAt * 1_000 })], context)).ranks[0]!;

test.each([
  ['created-at', createdAt],
  ['recency', recency],
  ['raw-file-age', rawFileAge],
  ['fair-share', fairShare],
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

test('recency: what never ran goes first, then what ran longest ago, within 3 to 1000', () => {
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

/** Organisations in the order in which a queue of one pop after the other serves them: by rank, then as pushed. */
function served(queue: readonly { organisation: string; rank: number }[]): string[] {
  return queue.toSorted((a, b) => a.rank - b.rank).map((entry) => entry.organisation);
}

const unweighted = new Map<string, number>();

function fairly(
  organisations: readonly string[],
  tags: Fairness['tags'] = new Map(),
  { virtualTime = 0, weights = unweighted }: Partial<Fairness> = {},
) {
  const batch = batchOf(
    organisations.map((organisation) => task(organisation)),
    { ...context, fairness: { tags, weights, virtualTime } },
  );
  const answer = fairShare(batch);
  const moved = new Map(tags);
  for (const [at, name] of batch.organisations.entries()) moved.set(name, answer.tags![at]!);
  return { queue: organisations.map((organisation, at) => ({ organisation, rank: answer.ranks[at]! })), tags: moved };
}

test('fair-share: whatever bursts others push, a single task waits for one task of each organisation at most', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 6 }), fc.nat(500), (bursts, alreadyServed) => {
      const burst = fairly(bursts.flatMap((size, at) => Array<string>(size).fill(`busy-${at}`)));
      const waiting = burst.queue.toSorted((a, b) => a.rank - b.rank).slice(alreadyServed);
      const head = waiting[0]?.rank ?? Math.max(0, ...burst.tags.values());
      const single = fairly(['quiet'], burst.tags, { virtualTime: head });
      const before = served([...waiting, ...single.queue]).indexOf('quiet');
      expect(before).toBeLessThanOrEqual(bursts.length);
    }),
  );
});

test('fair-share: a newcomer’s burst does not overtake what others have waiting: they take turns', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.nat(99), (size, alreadyServed) => {
      const old = fairly(Array<string>(100).fill('old'));
      const waiting = old.queue.slice(alreadyServed);
      const burst = fairly(Array<string>(size).fill('new'), old.tags, { virtualTime: waiting[0]!.rank });
      const count = { old: 0, new: 0 } as Record<string, number>;
      for (const name of served([...waiting, ...burst.queue])) {
        count[name]! += 1;
        if (count['old'] === waiting.length) break;
        expect(count['new']).toBeLessThanOrEqual(count['old']! + 1);
      }
    }),
  );
});

test('fair-share: while both have work, an organisation of weight w is served w times as often', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), (weight) => {
      const weights = new Map([['heavy', weight]]);
      const burst = [...Array<string>(weight * 20).fill('heavy'), ...Array<string>(20).fill('light')];
      const order = served(fairly(burst, new Map(), { weights }).queue);
      const count = { heavy: 0, light: 0 } as Record<string, number>;
      for (const name of order) {
        count[name]! += 1;
        if (count['heavy'] === weight * 20 || count['light'] === 20) break;
        expect(Math.abs(count['heavy']! - weight * count['light']!)).toBeLessThanOrEqual(weight);
      }
    }),
  );
});

test('fair-share: two pushes with the stored tags between them rank as one push would', () => {
  const names = fc.array(fc.constantFrom('aa', 'bb', 'cc'), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(names, names, (first, second) => {
      const one = fairly([...first, ...second]);
      const begun = fairly(first);
      const ended = fairly(second, begun.tags);
      expect([...begun.queue, ...ended.queue]).toEqual(one.queue);
      expect(ended.tags).toEqual(one.tags);
    }),
  );
});

test('fair-share: tags start at 2, and a person’s tasks move none', () => {
  const batch = batchOf([task('aa', { manual: true }), task('aa'), task('aa')], context);
  expect([...fairShare(batch).ranks]).toEqual([1, 2, 1_002]);
});
