import { expect, test } from 'vitest';
import { bestOf, type Comparison, compare, isWorthwhile, type Round } from '../../bench/tuning/compare.ts';

/** Rounds in which the defaults gave `before` and `after`, and what was tried `tried`. */
const rounds = (...given: readonly (readonly [number, number, number])[]): Round[] =>
  given.map(([before, tried, after]) => ({ before, tried, after }));

test('what is faster in every round by more than the defaults differ from themselves is better', () => {
  const compared = compare(rounds([100, 121, 102], [90, 108, 90], [200, 240, 198]));
  expect(compared.verdict).toBe('better');
  expect(compared.gain).toBeCloseTo(0.2, 1);
});

test('what is slower in every round is worse, however fast the machine was in that round', () => {
  expect(compare(rounds([100, 80, 100], [300, 240, 300], [50, 40, 50])).verdict).toBe('worse');
});

test('a difference that the defaults show against themselves is none', () => {
  const compared = compare(rounds([100, 112, 115], [100, 115, 85], [100, 118, 120]));
  expect(compared.noise).toBeCloseTo(0.15);
  expect(compared.verdict).toBe('same');
});

test('on a machine that is too busy there is no result, and nothing is used', () => {
  const compared = compare(rounds([100, 300, 150], [100, 300, 60], [100, 300, 170]));
  expect(compared.verdict).toBe('unclear');
  expect(isWorthwhile([{ gain: 0.1, noise: 0.03, verdict: 'better' }, compared])).toBe(false);
});

test('a difference of two hundredths is none, however steady', () => {
  expect(compare(rounds([100, 102, 100], [100, 102, 100], [100, 102, 100])).verdict).toBe('same');
});

test('one round in five may show the contrary, two may not, and of three none', () => {
  const [more, less] = [[100, 120, 100] as const, [100, 95, 100] as const];
  expect(compare(rounds(more, more, more, more, less)).verdict).toBe('better');
  expect(compare(rounds(more, more, more, less, less)).verdict).toBe('same');
  expect(compare(rounds(more, more, less)).verdict).toBe('same');
});

const compared = (verdict: Comparison['verdict'], gain: number): Comparison => ({ verdict, gain, noise: 0.03 });

test('a setting that is better at one thing and worse at another is not worth it', () => {
  expect(isWorthwhile([compared('better', 0.5), compared('worse', -0.1)])).toBe(false);
  expect(isWorthwhile([compared('better', 0.1), compared('same', -0.02)])).toBe(true);
  expect(isWorthwhile([compared('same', 0.02)])).toBe(false);
});

test('of those that are worth it the one that gains most is used, and none where there is none', () => {
  const [little, much] = [[compared('better', 0.1)], [compared('better', 0.3)]];
  const mixed = [compared('better', 0.9), compared('worse', -0.5)];
  expect(bestOf([little, mixed, much])).toBe(2);
  expect(bestOf([mixed, [compared('same', 0.02)]])).toBeNull();
  expect(bestOf([])).toBeNull();
});
