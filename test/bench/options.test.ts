import { expect, test } from 'vitest';
import { readOptions } from '../../bench/harness/options.ts';
import { suites } from '../../bench/suites.ts';

const named = new Map(suites.map(({ name, about }) => [name, about]));

test('without options everything runs, in full, and prints no JSON', () => {
  expect(readOptions([], named)).toEqual({ only: [], json: false, quick: false, tune: false });
});

test('suites are named with commas, spaces or none', () => {
  const options = readOptions(
    ['--only', 'pop, push', '--quick', '--json', '--plots', 'here', '--save', 'a.json'],
    named,
  );
  expect(options).toEqual({
    only: ['pop', 'push'],
    json: true,
    quick: true,
    tune: false,
    plots: 'here',
    save: 'a.json',
  });
});

test('the suites are those that are asked for by name', () => {
  const asked = ['mailbox', 'ranking', 'push', 'pop', 'cycle', 'latency', 'mutations', 'rescheduling', 'drain', 'api'];
  expect([...named.keys()]).toEqual(expect.arrayContaining(asked));
  expect(new Set(named.keys()).size).toBe(suites.length);
});
