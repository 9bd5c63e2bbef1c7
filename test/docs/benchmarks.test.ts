import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { figureText, markdown, withResults } from '../../bench/harness/markdown.ts';
import { readOptions } from '../../bench/harness/options.ts';
import { readReport, type Report } from '../../bench/harness/report.ts';
import { scaling } from '../../bench/harness/scaling.ts';
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

test('the figures in docs/benchmark-results.md and the plots are those of docs/plots/results.json', async () => {
  const report = await shownReport();
  const shown = await page('benchmark-results.md');
  expect(cells(shown)).toEqual(cells(withResults(shown, markdown(report))));
  for (const [name, svg] of plots(report.results)) expect(await page(`plots/${name}`), name).toBe(svg);
  for (const [, name] of (await page('benchmarks.md')).matchAll(/\]\(plots\/([\w-]+\.svg)\)/g))
    expect([...plots(report.results).keys()]).toContain(name);
});

test('the figures in docs/scaling.md, and what is reckoned from them, are those of docs/plots/supervisors.json', async () => {
  const shown = await page('scaling.md');
  expect(cells(shown)).toEqual(cells(withResults(shown, scaling(await shownReport('supervisors')))));
});

test('the figures in the README are those of docs/plots/results.json', async () => {
  const medians = new Map((await shownReport()).results.map(({ name, median }) => [name, figureText(median)]));
  const rows = (await page('../README.md')).split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const shown = (first: string) => rows.find((row) => row[1] === first)?.slice(2, 6);
  const of = (...names: readonly string[]) => names.map((name) => medians.get(name));
  expect(shown('popped, 100 000 queued')).toEqual(
    of(
      'pop/limit-1-64-in-flight-100k',
      'rest/pop-8-clients-100k',
      'pop/graphile-worker-one-at-a-time-24-100k',
      'pop/pg-boss-fetch-1-16-in-flight-100k',
    ),
  );
  expect(shown('pushed')).toEqual(
    of(
      'push/normalizer-single-64-in-flight',
      'rest/push-8-clients',
      'push/graphile-worker-single-16-clients',
      'push/pg-boss-single-16-clients',
    ),
  );
});

test('every command that the pages show is one that the bench takes', async () => {
  const text = (await Promise.all(['benchmarks.md', 'tuning.md', 'design-choices.md', 'scaling.md'].map(page))).join(
    '\n',
  );
  const shown = [...text.matchAll(/make bench ARGS="([^"<]*)"/g)].map(([, args]) => args!.split(' '));
  expect(shown.length).toBeGreaterThan(4);
  const named = new Map(suites.map(({ name, about }) => [name, about]));
  for (const args of shown) expect(() => readOptions(args, named), args.join(' ')).not.toThrow();
});

function shownReport(name = 'results'): Promise<Report> {
  return readReport(fileURLToPath(new URL(`../../docs/plots/${name}.json`, import.meta.url)));
}

/** A formatter aligns tables: what counts is in their cells. */
function cells(text: string): string[] {
  return text.split('\n').map((line) => line.replaceAll(/\s*\|\s*/g, '|').replaceAll(/-+/g, '-'));
}
