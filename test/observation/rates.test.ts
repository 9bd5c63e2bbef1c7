import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { PartRates } from '../../src/observation/part-rates.ts';
import { RecentFailures } from '../../src/observation/rates.ts';
import { emit, type EndedTask } from '../../src/telemetry/events.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const task = (over: Partial<EndedTask> = {}): EndedTask => {
  return { organisation: 'aa', plugin: 'dns', seconds: 1, code: null, ...over };
};

function ends(status: 'completed' | 'failed', ended: readonly EndedTask[], scheduler = 'boefje') {
  emit({ name: 'tasks.changed', scheduler, status, reason: null, tasks: [], ended });
}

function claims(rows: readonly (readonly [organisation: string, plugin: string])[], scheduler = 'boefje') {
  const images = rows.map(() => '');
  const claim = { scheduler, waiters: 1, rows: rows.length, ms: 1, waited: [], asked: null, filtered: false } as const;
  const [organisations, plugins] = [rows.map(([name]) => name), rows.map(([, name]) => name)];
  emit({ name: 'claim.completed', ...claim, organisations, plugins, images, ranks: [] });
}

function partRates(): PartRates {
  const rates = new PartRates();
  onTestFinished(() => rates.stop());
  return rates;
}

test('what is handed out and what fails is told by organisation and by boefje, of one scheduler', () => {
  const rates = partRates();
  vi.advanceTimersByTime(100_000);
  claims([
    ['aa', 'dns'],
    ['aa', 'nmap'],
    ['bb', 'dns'],
    ['aa', ''],
  ]);
  claims([['aa', 'dns']], 'normalizer');
  ends('failed', [task({ code: 'timeout' }), task({ organisation: 'cc', plugin: null, code: '' })]);
  ends('completed', [task()]);
  expect(rates.of('boefje', 'organisation')).toEqual([
    { scheduler: 'boefje', name: 'aa', per_second: 0.03, failed: 1 },
    { scheduler: 'boefje', name: 'bb', per_second: 0.01, failed: 0 },
    { scheduler: 'boefje', name: 'cc', per_second: 0, failed: 1 },
  ]);
  expect(rates.of('boefje', 'boefje')).toEqual([
    { scheduler: 'boefje', name: 'dns', per_second: 0.02, failed: 1 },
    { scheduler: 'boefje', name: 'nmap', per_second: 0.01, failed: 0 },
  ]);
  expect(rates.of('report', 'organisation')).toEqual([]);
});

test('after ten minutes it is forgotten, after nine it is not', () => {
  const rates = partRates();
  const one = (name: string) => ({ scheduler: 'boefje', name, per_second: 1 / 600, failed: 0 });
  claims([['old', 'dns']]);
  vi.advanceTimersByTime(120_000);
  claims([['new', 'dns']]);
  vi.advanceTimersByTime(480_000);
  expect(rates.of('boefje', 'organisation')).toEqual([one('new')]);
  expect(rates.of('boefje', 'boefje')).toEqual([one('dns')]);
  vi.advanceTimersByTime(110_000);
  expect(rates.of('boefje', 'organisation')).toEqual([one('new')]);
  vi.advanceTimersByTime(10_000);
  expect(rates.of('boefje', 'organisation')).toEqual([]);
  // Far beyond the window, too.
  claims([['late', 'dns']]);
  vi.advanceTimersByTime(86_400_000);
  expect(rates.of('boefje', 'organisation')).toEqual([]);
});

test('clients that name boefjes as they like neither fill the memory nor the answer: the others are one', () => {
  const rates = partRates();
  vi.advanceTimersByTime(10_000);
  claims(Array.from({ length: 3_000 }, (_none, n) => ['aa', `made-up-${n}`]));
  claims([
    ['aa', 'made-up-7'],
    ['aa', 'too-late'],
  ]);
  const all = rates.of('boefje', 'boefje');
  expect(all).toHaveLength(201);
  expect(all[0]).toMatchObject({ name: 'made-up-7', per_second: 0.2 });
  expect(all.at(-1)!.name).toBe('');
  expect(all.reduce((sum, { per_second }) => sum + per_second, 0)).toBeCloseTo(300.2);
  expect(all.some(({ name }) => name === 'too-late')).toBe(false);
});

test('recent failures are of the last 50 tasks of a boefje that has so many', () => {
  const recent = new RecentFailures();
  onTestFinished(() => recent.stop());
  const failed = task({ code: 'timeout' });
  ends(
    'failed',
    Array.from({ length: 30 }, () => failed),
  );
  ends(
    'completed',
    Array.from({ length: 19 }, () => task()),
  );
  expect(recent.counts()).toEqual(new Map());
  // Without a code it failed, too; a task without a boefje counts nowhere.
  ends('failed', [task({ code: '' }), task({ plugin: null, code: '' })]);
  expect(recent.counts()).toEqual(new Map([['dns', 31]]));
  // The oldest 30 failed.
  ends(
    'completed',
    Array.from({ length: 30 }, () => task()),
  );
  expect(recent.counts()).toEqual(new Map([['dns', 1]]));
  ends(
    'failed',
    Array.from({ length: 60 }, () => failed),
  );
  expect(recent.counts()).toEqual(new Map([['dns', 50]]));
  recent.stop();
  ends('completed', [task()]);
  expect(recent.counts()).toEqual(new Map([['dns', 50]]));
});

test('recent failures are of the first 200 boefjes that this process meets', () => {
  const recent = new RecentFailures();
  onTestFinished(() => recent.stop());
  for (let n = 0; n < 300; n += 1)
    ends(
      'failed',
      Array.from({ length: 50 }, () => task({ plugin: `boefje-${n}`, code: '' })),
    );
  expect(recent.counts().size).toBe(200);
  expect(recent.counts().get('boefje-199')).toBe(50);
  expect(recent.counts().has('other')).toBe(false);
});
