import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bench, isDue, nameOf, sizesOf } from '../../bench/harness/bench.ts';

function quiet(options: { quick: boolean } = { quick: true }): Bench {
  return new Bench({ ...options, suites: [], say: () => {} });
}

test('cases take turns, and one with fewer repetitions has them spread over all rounds', async () => {
  const order: string[] = [];
  const named = (name: string, repetitions: number) => ({
    name,
    unit: 'ops/s',
    repetitions,
    sample: async () => ({ value: order.push(name) }),
  });
  await quiet().measure('suite', [named('a', 4), named('b', 2), named('c', 4)]);
  expect(order.join('')).toBe('acabcacabc');
});

test('every repetition has its round', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), (one, other) => {
      const [repetitions, rounds] = [Math.min(one, other), Math.max(one, other)];
      const due = Array.from({ length: rounds }, (_, round) => isDue(round, repetitions, rounds));
      expect(due.filter(Boolean)).toHaveLength(repetitions);
    }),
  );
});

test('a figure is the median of its samples, its latencies those of all of them together', () => {
  const bench = quiet();
  bench.record('suite/case', 'tasks/s', [
    { value: 30, latenciesMs: Float64Array.of(3, 1), loadCpu: 0.1 },
    { value: 10, latenciesMs: Float64Array.of(2), loadCpu: 0.3 },
    { value: 20, latenciesMs: Float64Array.of(9), loadCpu: 0.2 },
  ]);
  expect(bench.results.get('suite/case')).toEqual({
    name: 'suite/case',
    unit: 'tasks/s',
    median: 20,
    min: 10,
    max: 30,
    p50_ms: 2,
    p99_ms: 9,
    load_cpu: 0.2,
    ratios: {},
  });
});

test('a case without latencies has none', () => {
  const bench = quiet();
  bench.record('suite/case', 's', [{ value: 1 }]);
  expect(bench.results.get('suite/case')).toMatchObject({ p50_ms: null, p99_ms: null, load_cpu: null });
});

test('a shallow queue is sampled more often, a deep one less', () => {
  const bench = quiet({ quick: false });
  const repetitions = [10_000, 100_000, 10_000_000].map((depth) => bench.repetitionsAt(depth));
  expect(repetitions).toEqual([10, 5, 3]);
});

test('a depth is named shortly', () => {
  expect([10_000, 100_000, 1_000_000, 10_000_000].map(nameOf)).toEqual(['10k', '100k', '1m', '10m']);
});

test('a full run has one size, and names that say nothing of it', () => {
  expect(sizesOf(false, 100_000)).toEqual([{ tasks: 100_000, suffix: '' }]);
});

test('a quick run has two, with different ends of their names', () => {
  expect(sizesOf(true, 0)).toEqual([
    { tasks: 10_000, suffix: '-10k' },
    { tasks: 100_000, suffix: '-100k' },
  ]);
});
