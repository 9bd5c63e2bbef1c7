import { expect, test } from 'vitest';
import { EventTimes, percentiles } from '../../src/simulator/measures.ts';

test('percentiles are values that occurred', () => {
  expect(percentiles([5, 1, 3, 2, 4])).toEqual({ p50: 3, p99: 5 });
  expect(percentiles(Array.from({ length: 200 }, (_, at) => at + 1))).toEqual({ p50: 100, p99: 198 });
});

test('nothing measured is null, not zero', () => {
  expect(percentiles([])).toEqual({ p50: null, p99: null });
});

test('an event is timed to the first handler it causes', () => {
  const times = new EventTimes();
  times.published('a', true, 100);
  times.handlerStarted('a', 107);
  times.handlerStarted('a', 150);
  expect(times.milliseconds()).toEqual([7]);
});

test('an event published while no worker waited is not timed', () => {
  const times = new EventTimes();
  times.published('a', false, 100);
  times.handlerStarted('a', 107);
  expect(times.milliseconds()).toEqual([]);
});
