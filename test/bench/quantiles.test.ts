import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { median, quantile } from '../../bench/harness/quantiles.ts';

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
