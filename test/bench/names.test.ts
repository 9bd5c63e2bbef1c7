import { expect, test } from 'vitest';
import { nameOf, sizesOf } from '../../bench/harness/names.ts';

test('a depth is named shortly', () => {
  expect([10_000, 100_000, 1_000_000, 10_000_000].map(nameOf)).toEqual(['10k', '100k', '1m', '10m']);
});

test('a full run has one size, and names that say nothing of it', () => {
  expect(sizesOf(false, 100_000)).toEqual([{ tasks: 100_000, suffix: '' }]);
});

test('a quick run has two, told apart by the end of their names', () => {
  expect(sizesOf(true, 0)).toEqual([
    { tasks: 10_000, suffix: '-10k' },
    { tasks: 100_000, suffix: '-100k' },
  ]);
});
