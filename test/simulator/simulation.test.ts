import { describe, expect, test } from 'vitest';
import { faultKinds } from '../../src/simulator/virtual/faults.ts';
import { limitsOf, typicalLimits } from '../../src/simulator/virtual/limits-file.ts';
import { simulate, type SimulationOptions } from '../../src/simulator/virtual/simulation.ts';
import { foundSeeds } from './found-seeds.ts';

const small: SimulationOptions = {
  days: 1,
  organisations: 3,
  objects: 15,
  seed: 1,
  faults: faultKinds,
  policy: 'fair-share',
  limits: typicalLimits,
};

test('the same seed makes the same decisions, another seed others', async () => {
  const [once, again, other] = [await simulate(small), await simulate(small), await simulate({ ...small, seed: 2 })];
  expect(again).toEqual({ ...once, seconds: again.seconds });
  expect(other.digest).not.toBe(once.digest);
  expect(once.decisions).toBeGreaterThan(1_000);
  expect(once.tasks['boefje']!['completed']).toBeGreaterThan(100);
});

test.each([1, 2, 3, 4, 5])('what Rota promises holds in a small world under faults, with seed %i', async (seed) => {
  const { violations } = await simulate({ ...small, seed });
  expect(violations).toEqual([]);
});

test('without a fault, and first come, first served, too', async () => {
  const { violations, virtual_days } = await simulate({ ...small, faults: [], policy: 'created-at' });
  expect({ violations, virtual_days }).toEqual({ violations: [], virtual_days: 1 });
});

test('limits and windows of a file are those that operators write, and a wrong one is named', () => {
  const [limit, window] = limitsOf([
    {
      name: 'one-per-host',
      boefje: 'nmap',
      key: 'host:{host}',
      concurrency: 1,
      rate: { tasks: 2, seconds: 60 },
      burst: 3,
    },
    { name: 'night', window: { zone: 'UTC', cron: '0 22 * * *', seconds: 3_600 } },
  ]);
  expect(limit).toMatchObject({ plugin: 'nmap', template: 'host:{host}', spacingMs: 30_000, burst: 3, hours: null });
  expect(window).toMatchObject({ concurrency: null, hours: { cron: '0 22 * * *' } });
  expect(() => limitsOf([{ name: 'x', concurrency: 1, key: 'host:{nothing}' }])).toThrow(/x: unknown placeholder/);
  expect(() => limitsOf([{ name: 'x', concurrency: 0 }])).toThrow(/0.concurrency/);
  expect(() => limitsOf([{ name: 'x' }])).toThrow(/expected a window, or a rate/);
  const hourly = { zone: 'UTC', cron: '0 * * * *', seconds: 60 };
  expect(() => limitsOf([{ name: 'x', window: hourly }])).toThrow(/0.window.cron: .*once a day/);
});

describe('what was found once', () => {
  test.each(foundSeeds)('$found', async ({ found: _found, faults, ...options }) => {
    const { violations } = await simulate({
      policy: 'fair-share',
      ...options,
      faults: faults === 'all' ? faultKinds : faults,
    });
    expect(violations).toEqual([]);
  });
});
