import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Shutdown } from '../src/deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('undoes in the reverse order, and says what was left and why', async () => {
  const undone: string[] = [];
  const shutdown = new Shutdown();
  for (const name of ['first', 'second', 'third']) shutdown.add(name, () => undone.push(name));
  shutdown.add('fails', () => Promise.reject(new Error('no database')));
  expect(await shutdown.run()).toEqual([{ step: 'fails', why: 'no database' }]);
  expect(undone).toEqual(['third', 'second', 'first']);
});

test('ends within 10 s whatever hangs, and each step has its turn', async () => {
  const told: number[] = [];
  const shutdown = new Shutdown();
  for (let at = 0; at < 13; at += 1) {
    shutdown.add(`step ${at}`, (withinMs) => {
      told.push(withinMs);
      return new Promise(() => {});
    });
  }
  const began = performance.now();
  const left = shutdown.run();
  await vi.advanceTimersByTimeAsync(10_000);
  expect((await left).map(({ step }) => step)).toHaveLength(13);
  expect(told.every((ms) => ms >= 250)).toBe(true);
  expect(told.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(9_500);
  expect(performance.now() - began).toBeLessThanOrEqual(10_000);
});
