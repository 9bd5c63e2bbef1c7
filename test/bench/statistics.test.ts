import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { covered, median, quantile } from '../../bench/harness/statistics.ts';

const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });

test('a quantile is the smallest value that at least this share does not exceed', () => {
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (given, q) => {
      const sorted = given.toSorted((a, b) => a - b);
      const found = quantile(sorted, q)!;
      expect(sorted.filter((value) => value <= found).length).toBeGreaterThanOrEqual(q * sorted.length - 1e-9);
      expect(sorted.filter((value) => value < found).length).toBeLessThan(q * sorted.length + 1e-9);
    }),
  );
});

test.for([
  [0.5, 50],
  [0.99, 99],
  [1, 100],
])('of one to a hundred the %d quantile is %d', ([q, expected]) => {
  expect(
    quantile(
      Array.from({ length: 100 }, (_, at) => at + 1),
      q!,
    ),
  ).toBe(expected);
});

test('nothing has no quantile', () => {
  expect(quantile([], 0.5)).toBeNull();
});

test('a median does not depend on the order, and lies in the middle of two', () => {
  expect(median([30, 10, 20])).toBe(20);
  expect(median([40, 10, 20, 30])).toBe(25);
});

const interval = fc
  .tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 20 }))
  .map(([began, length]) => ({ began, ended: began + length }));

test('what several parts cover counts once, and only within the whole', () => {
  fc.assert(
    fc.property(interval, fc.array(interval), (whole, parts) => {
      const units = Array.from({ length: whole.ended - whole.began }, (_, at) => whole.began + at);
      const inside = units.filter((unit) => parts.some(({ began, ended }) => began <= unit && unit < ended));
      expect(covered(whole, parts)).toBe(inside.length);
    }),
  );
});
