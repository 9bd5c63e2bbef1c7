import { expect, test } from 'vitest';
import { Results } from '../../bench/harness/results.ts';

function resultsOf(medians: Readonly<Record<string, number>>): Results {
  const results = new Results();
  for (const [name, median] of Object.entries(medians)) {
    results.add({
      name,
      unit: 'tasks/s',
      median,
      min: median - 1,
      max: median + 1,
      p50_ms: 3,
      p99_ms: null,
      load_cpu: null,
    });
  }
  return results;
}

test('a result has its ratio to what it is held against, and meets a bar from that on', () => {
  const results = resultsOf({ 'pop/rota': 300, 'pop/peer': 100 });
  results.want('pop/rota', { against: 'peer', of: 'pop/peer', atLeast: 3 });
  results.want('pop/rota', { against: 'recorded', of: 200, atLeast: 2 });
  expect(results.get('pop/rota')?.ratios).toEqual({ peer: 3, recorded: 1.5 });
  expect(results.bars().map(({ reached, wanted, met }) => ({ reached, wanted, met }))).toEqual([
    { reached: 3, wanted: 3, met: true },
    { reached: 1.5, wanted: 2, met: false },
  ]);
});

test('what must not grow is missed where it does', () => {
  const results = resultsOf({ 'memory/late': 110, 'memory/early': 100 });
  results.want('memory/late', { against: 'early', of: 'memory/early', atMost: 1.05 });
  results.want('memory/late', { own: 'max', atMost: 111 });
  results.want('memory/late', { own: 'p50_ms', atMost: 2 });
  expect(results.bars().map(({ met }) => met)).toEqual([false, true, false]);
});

test('nothing is said of what was not measured: a peer that is absent, a latency that a case has not', () => {
  const results = resultsOf({ 'pop/rota': 300 });
  results.want('pop/rota', { against: 'peer', of: 'pop/peer', atLeast: 3 });
  results.want('pop/rota', { own: 'p99_ms', atMost: 3 });
  results.want('pop/absent', { own: 'median', atMost: 3 });
  expect(results.bars()).toEqual([]);
  expect(results.get('pop/rota')?.ratios).toEqual({});
});
