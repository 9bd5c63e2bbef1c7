import { expect, test } from 'vitest';
import { knobs } from '../../bench/tuning/knobs.ts';
import { embeddedSettings } from '../../src/embedded/postgres.ts';
import { readConfig } from '../../src/config/config.ts';
import { environment } from '../../src/config/variables.ts';

const all = knobs({ cores: 8, memory_gib: 32 });

test('no setting is tried that would lose commits in a crash', () => {
  const names = all.flatMap(({ standard, tries }) => [standard, ...tries].flatMap(Object.keys));
  expect(names).toContain('shared_buffers');
  for (const name of ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method']) {
    expect(names).not.toContain(name);
  }
});

test('the defaults that others are compared with are the defaults', () => {
  const config = readConfig({}) as unknown as Readonly<Record<string, unknown>>;
  const ours = all.filter(({ where }) => where === 'rota').flatMap(({ standard }) => Object.entries(standard));
  expect(ours.length).toBeGreaterThan(0);
  for (const [name, value] of ours) expect(`${name}=${String(config[name])}`).toBe(`${name}=${value}`);
  const ofPostgres = all.filter(({ where }) => where === 'postgres').map(({ standard }) => standard);
  expect(ofPostgres).toContainEqual({ max_wal_size: embeddedSettings['max_wal_size'] });
  expect(ofPostgres.flatMap(Object.values)).not.toContain(undefined);
});

test('every value that is tried is one that the configuration takes', () => {
  for (const { where, tries } of all) {
    if (where === 'rota') for (const settings of tries) expect(() => readConfig(settings)).not.toThrow();
  }
  expect(all.filter(({ where }) => where === 'rota').every(({ name }) => name in environment.shape)).toBe(true);
});

test('one core is not asked to rank in two threads', () => {
  const threads = (cores: number) =>
    knobs({ cores, memory_gib: 4 }).find(({ name }) => name === 'SCHEDULER_RANKING_THREADS')!.tries;
  expect(threads(1)).toEqual([]);
  expect(threads(8).map((settings) => settings['SCHEDULER_RANKING_THREADS'])).toEqual(['2', '7']);
});
