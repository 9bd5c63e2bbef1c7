import { access, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { faults } from '../drill/faults/all.ts';
import { guarantees } from '../drill/guarantees.ts';
import { readOptions } from '../drill/options.ts';

const root = new URL('../../', import.meta.url);
const page = () => readFile(new URL('docs/guarantees.md', root), 'utf8');
const names = new Set(faults.map(({ name }) => name));

/** What is in backticks after `- Tests:` or `- Drills:`, by line. */
function named(text: string, what: 'Tests' | 'Drills'): readonly (readonly string[])[] {
  const items = text.split(/\n(?=- |\n)/).filter((item) => item.startsWith(`- ${what}:`));
  return items.map((item) => [...item.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

test('docs/guarantees.md has each guarantee that a drill can find broken, in that order', async () => {
  const titles = [...(await page()).matchAll(/^### (\d+)\. (.+)$/gm)].map(([, number, title]) => ({ number, title }));
  const told = titles.map(({ title }) => title![0]!.toLowerCase() + title!.slice(1));
  expect(told).toEqual([...guarantees]);
  expect(titles.map(({ number }) => Number(number))).toEqual(guarantees.map((_guarantee, at) => at + 1));
});

test('each guarantee names tests and drills that exist, and each drill holds one', async () => {
  const text = await page();
  const [tests, drills] = [named(text, 'Tests'), named(text, 'Drills')];
  expect(tests).toHaveLength(guarantees.length);
  expect(drills).toHaveLength(guarantees.length);
  for (const path of tests.flat()) await expect(access(new URL(path, root)), path).resolves.toBeUndefined();
  expect(drills.flat().filter((name) => !names.has(name))).toEqual([]);
  expect([...names].filter((name) => !drills.flat().includes(name))).toEqual([]);
});

test('the table has a row for each drill, in their order, and for no other', async () => {
  const table = (await page()).split("## The drills' table")[1]!;
  const rows = [...table.matchAll(/^\| ([a-z][a-z-]+) +\| (?:held|broke|left out) /gm)].map(([, name]) => name);
  expect(rows).toEqual([...names]);
});

test('every command that the page shows is one that the drill takes', async () => {
  const shown = [...(await page()).matchAll(/make drill ARGS="([^"]*)"/g)].map(([, args]) => args!.split(' '));
  expect(shown.length).toBeGreaterThan(3);
  for (const args of shown) expect(() => readOptions(args, faults), args.join(' ')).not.toThrow();
});
