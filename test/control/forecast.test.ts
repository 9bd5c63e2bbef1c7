import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { forecast, inOrderOfAge, type Waiting } from '../../src/control/forecast.ts';

const weights = fc.constantFrom(0.5, 1, 2, 4);
const parts: fc.Arbitrary<readonly Waiting[]> = fc
  .array(fc.record({ waiting: fc.integer({ min: 0, max: 60 }), weight: weights }), { minLength: 1, maxLength: 6 })
  .map((all) => all.map((part, at) => ({ name: `org-${at}`, ...part })));
const rates = fc.double({ min: 0.1, max: 50, noNaN: true });

/** Tasks as fair-share deals them out: each follows the last of its organisation by 1000 / weight, and the least rank is popped. */
function popped(all: readonly Waiting[]): ReadonlyMap<string, number> {
  const queue = all.flatMap(({ name, waiting, weight }, of) =>
    Array.from({ length: waiting }, (_none, at) => ({ name, rank: ((at + 1) * 1_000) / weight, of })),
  );
  queue.sort((a, b) => a.rank - b.rank || a.of - b.of);
  return new Map(queue.map(({ name }, at) => [name, at + 1]));
}

test('each is done when the queue has handed out the last of its tasks in turns, but for a turn of each', () => {
  fc.assert(
    fc.property(parts, rates, (all, rate) => {
      const done = forecast(all, rate);
      for (const [name, place] of popped(all)) {
        const turn = all.reduce((sum, { weight }) => sum + weight, 0) / Math.min(...all.map(({ weight }) => weight));
        expect(Math.abs(done.get(name)! * rate - place)).toBeLessThanOrEqual(turn + 1e-6);
      }
    }),
  );
});

test('workers are never idle: the last is done when all is handed out', () => {
  fc.assert(
    fc.property(parts, rates, (all, rate) => {
      const total = all.reduce((sum, { waiting }) => sum + waiting, 0);
      const last = [...forecast(all, rate).values()].at(-1);
      if (total === 0) expect(last).toBeUndefined();
      else expect(last).toBeCloseTo(total / rate, 6);
    }),
  );
});

test('what one of them does not have, no other gets later', () => {
  fc.assert(
    fc.property(parts, rates, fc.nat(), (all, rate, pick) => {
      const gone = all[pick % all.length]!.name;
      const [before, after] = [
        forecast(all, rate),
        forecast(
          all.filter(({ name }) => name !== gone),
          rate,
        ),
      ];
      for (const [name, seconds] of after) expect(seconds).toBeLessThanOrEqual(before.get(name)! + 1e-9);
    }),
  );
});

test('a double weight is served twice as fast while both wait', () => {
  const done = forecast(
    [
      { name: 'single', waiting: 100, weight: 1 },
      { name: 'double', waiting: 100, weight: 2 },
    ],
    3,
  );
  expect([...done]).toEqual([
    ['double', 50],
    ['single', 200 / 3],
  ]);
});

test('where organisations take no turns, all of them are done at the end; where nothing is handed out, none is', () => {
  const all = [
    { name: 'small', waiting: 10, weight: 1 },
    { name: 'large', waiting: 90, weight: 1 },
  ];
  expect([...forecast(inOrderOfAge(all), 1).values()]).toEqual([100, 100]);
  expect(forecast(all, 0).size).toBe(0);
});
