import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { markdown, withResults } from '../../bench/harness/markdown.ts';
import { readOptions } from '../../bench/harness/options.ts';
import { readReport } from '../../bench/harness/report.ts';
import { plots } from '../../bench/plots/figures.ts';
import { suites } from '../../bench/suites.ts';
import { knobs } from '../../bench/tuning/knobs.ts';
import { embeddedSettings } from '../../src/embedded/postgres.ts';

const page = (name: string) => readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('docs/benchmarks.md has a row for each suite, in the order in which they run, and for no other', async () => {
  const table = (await page('benchmarks.md')).split('## Suites')[1]!.split('## Results')[0]!;
  const rows = [...table.matchAll(/^\| `([\w-]+)` /gm)].map(([, name]) => name);
  expect(rows).toEqual(suites.map(({ name }) => name));
});

test('docs/tuning.md has a row for each knob that is turned, with its default', async () => {
  const rows = (await page('tuning.md')).split('\n').filter((line) => line.startsWith('| `'));
  for (const { name, standard } of knobs({ cores: 4, memory_gib: 16 })) {
    const row = rows.find((line) => line.split('|')[1]!.includes(`\`${name}\``));
    expect(row, name).toBeDefined();
    const shown = row!.split('|')[2]!.replaceAll(' ', '');
    for (const value of Object.values(standard)) expect(shown, name).toContain(value);
  }
  expect(rows.join('\n')).toContain(embeddedSettings['max_connections']);
});

test('the figures in docs/benchmarks.md and the plots beside it are those of docs/plots/results.json', async () => {
  const path = fileURLToPath(new URL('../../docs/plots/results.json', import.meta.url));
  const report = await readReport(path);
  const shown = await page('benchmarks.md');
  expect(cells(shown)).toEqual(cells(withResults(shown, markdown(report))));
  for (const [name, svg] of plots(report.results)) expect(await page(`plots/${name}`), name).toBe(svg);
  for (const [, name] of shown.matchAll(/\]\(plots\/([\w-]+\.svg)\)/g))
    expect([...plots(report.results).keys()]).toContain(name);
});

test('every command that the pages show is one that the bench takes', async () => {
  const text = (await Promise.all(['benchmarks.md', 'tuning.md', 'design-choices.md'].map(page))).join('\n');
  const shown = [...text.matchAll(/make bench ARGS="([^"<]*)"/g)].map(([, args]) => args!.split(' '));
  expect(shown.length).toBeGreaterThan(4);
  const named = new Map(suites.map(({ name, about }) => [name, about]));
  for (const args of shown) expect(() => readOptions(args, named), args.join(' ')).not.toThrow();
});

/** A formatter aligns tables: what counts is in their cells. */
function cells(text: string): string[] {
  return text.split('\n').map((line) => line.replaceAll(/\s*\|\s*/g, '|').replaceAll(/-+/g, '-'));
}
