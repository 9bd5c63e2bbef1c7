import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import createdAt from '../../actors/rankers/created-at.ts';
import fairShare from '../../actors/rankers/fair-share.ts';
import rawFileAge from '../../actors/rankers/raw-file-age.ts';
import recency from '../../actors/rankers/recency.ts';
import { flowOf, type RankedTask } from '../../src/queue/push/rank.ts';
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
  image: fc.constantFrom('', 'img'),
});
const task = (organisation: string, more: Partial<RankedTask> = {}): RankedTask => ({
  image: '',
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

/** Organisations in the order in which a queue of one pop after the other serves them: by rank, then as pushed. */
function served(queue: readonly { organisation: string; rank: number }[]): string[] {
  return queue.toSorted((a, b) => a.rank - b.rank).map((entry) => entry.organisation);
}

const nothing = new Map<string, number>();

/** Ranks of one push; `lasts` by organisation. */
function fairly(
  organisations: readonly string[],
  lasts: ReadonlyMap<string, number> = nothing,
  { virtualTime = 1, weights = nothing }: { virtualTime?: number; weights?: ReadonlyMap<string, number> } = {},
) {
  const byFlow = new Map([...lasts].map(([organisation, last]) => [flowOf({ organisation, image: '' }), last]));
  const fairness = { lasts: byFlow, weights, virtualTimes: new Map([['', virtualTime]]) };
  const { ranks } = fairShare(
    batchOf(
      organisations.map((organisation) => task(organisation)),
      { ...context, fairness },
    ),
  );
  const moved = new Map(lasts);
  for (const [at, organisation] of organisations.entries()) moved.set(organisation, ranks[at]!);
  return { queue: organisations.map((organisation, at) => ({ organisation, rank: ranks[at]! })), lasts: moved };
}

test('fair-share: beside bursts of any size a single task waits for two tasks of each organisation at most', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 6 }), fc.nat(500), (bursts, alreadyServed) => {
      const burst = fairly(bursts.flatMap((size, at) => Array<string>(size).fill(`busy-${at}`)));
      const inOrder = burst.queue.toSorted((a, b) => a.rank - b.rank);
      const virtualTime = inOrder[Math.min(alreadyServed, inOrder.length) - 1]?.rank ?? 1;
      const waiting = inOrder.slice(alreadyServed);
      const single = fairly(['quiet'], nothing, { virtualTime });
      const before = served([...waiting, ...single.queue]).indexOf('quiet');
      expect(before).toBeLessThanOrEqual(2 * bursts.length);
    }),
  );
});

test('fair-share: a newcomer’s burst does not overtake what others have waiting: they take turns', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 99 }), (size, alreadyServed) => {
      const old = fairly(Array<string>(100).fill('old'));
      const waiting = old.queue.slice(alreadyServed);
      const burst = fairly(Array<string>(size).fill('new'), nothing, {
        virtualTime: old.queue[alreadyServed - 1]!.rank,
      });
      const count = { old: 0, new: 0 } as Record<string, number>;
      for (const name of served([...waiting, ...burst.queue])) {
        count[name]! += 1;
        if (count['old'] === waiting.length) break;
        expect(count['new']).toBeLessThanOrEqual(count['old']! + 1);
      }
    }),
  );
});

test('fair-share: one that pushes whenever it is served gets no more than its share', () => {
  const waiting = [...fairly(Array<string>(50).fill('a')).queue, ...fairly(Array<string>(50).fill('b')).queue];
  const count = { a: 0, b: 0, eager: 0 } as Record<string, number>;
  let virtualTime = 1;
  waiting.push(...fairly(['eager'], nothing, { virtualTime }).queue);
  for (let pop = 0; pop < 90; pop += 1) {
    waiting.sort((x, y) => x.rank - y.rank);
    const { organisation, rank } = waiting.shift()!;
    count[organisation]! += 1;
    virtualTime = Math.max(virtualTime, rank);
    if (organisation === 'eager') waiting.push(...fairly(['eager'], nothing, { virtualTime }).queue);
  }
  expect(Math.max(...Object.values(count)) - Math.min(...Object.values(count))).toBeLessThanOrEqual(1);
});

test('fair-share: while both have work, an organisation of weight w is served w times as often', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), (weight) => {
      const weights = new Map([['heavy', weight]]);
      const burst = [...Array<string>(weight * 20).fill('heavy'), ...Array<string>(20).fill('light')];
      const order = served(fairly(burst, nothing, { weights }).queue);
      const count = { heavy: 0, light: 0 } as Record<string, number>;
      for (const name of order) {
        count[name]! += 1;
        if (count['heavy'] === weight * 20 || count['light'] === 20) break;
        expect(Math.abs(count['heavy']! - weight * count['light']!)).toBeLessThanOrEqual(weight);
      }
    }),
  );
});

test('fair-share: two pushes rank as one push would', () => {
  const names = fc.array(fc.constantFrom('aa', 'bb', 'cc'), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(names, names, (first, second) => {
      const one = fairly([...first, ...second]);
      const begun = fairly(first);
      const ended = fairly(second, begun.lasts);
      expect([...begun.queue, ...ended.queue]).toEqual(one.queue);
    }),
  );
});

test('fair-share: each image of an organisation is a flow of its own', () => {
  const fairness = {
    lasts: new Map([[flowOf({ organisation: 'aa', image: 'slow' }), 9_001]]),
    weights: nothing,
    virtualTimes: new Map([
      ['slow', 1],
      ['quick', 5_001],
    ]),
  };
  const batch = batchOf([task('aa', { image: 'slow' }), task('aa', { image: 'quick' })], { ...context, fairness });
  expect([...fairShare(batch).ranks]).toEqual([10_001, 6_001]);
});

test('fair-share: ranks begin behind a person’s, whose tasks move none', () => {
  const batch = batchOf([task('aa', { manual: true }), task('aa'), task('aa')], context);
  expect([...fairShare(batch).ranks]).toEqual([1, 1_001, 2_001]);
});
