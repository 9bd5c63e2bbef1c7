import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { simulateCommand } from '../../src/cli/simulate.ts';
import { faultKinds } from '../../src/simulator/virtual/faults.ts';
import { limitsOf, typicalLimits } from '../../src/simulator/virtual/limits-file.ts';
import { simulate, type SimulationOptions, type SimulationReport } from '../../src/simulator/virtual/simulation.ts';
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
    { name: 'night', cron: '0 22 * * *', seconds: 3_600 },
  ]);
  expect(limit).toMatchObject({ plugin: 'nmap', template: 'host:{host}', spacingMs: 30_000, burst: 3, hours: null });
  expect(window).toMatchObject({ concurrency: null, hours: { zone: 'UTC', cron: '0 22 * * *' } });
  expect(() => limitsOf([{ name: 'x', concurrency: 1, key: 'host:{nothing}' }])).toThrow(/x: key: unknown placeholder/);
  expect(() => limitsOf([{ name: 'x', concurrency: 0 }])).toThrow(/x: concurrency/);
  expect(() => limitsOf([{ name: 'x' }])).toThrow(/expected a rate, a concurrency/);
  expect(() => limitsOf([{ name: 'x', cron: '0 * * * *', seconds: 60 }])).toThrow(/x: cron: .*once a day/);
  expect(() => limitsOf([{ name: 'x', cron: '0 22 * * *' }])).toThrow(/x: expected cron and seconds/);
});

test('the command writes each decision to a file, whose SHA-256 is the digest', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-simulate-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'decisions');
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  onTestFinished(() => out.mockRestore());
  const size = ['--days', '1', '--organisations', '1', '--objects', '10', '--boefjes', '5'];
  await simulateCommand().parseAsync([...size, '--trace', file, '--json'], { from: 'user' });
  const report = JSON.parse(String(out.mock.lastCall![0])) as SimulationReport;
  const decisions = readFileSync(file, 'utf8');
  expect(createHash('sha256').update(decisions).digest('hex')).toBe(report.digest);
  expect(decisions.split('\n')).toHaveLength(report.decisions + 1);
  const several = simulateCommand().parseAsync([...size, '--trace', file, '--seeds', '2'], { from: 'user' });
  await expect(several).rejects.toThrow(/--trace: of one seed/);
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
