import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { figureText, markdown } from '../../bench/harness/markdown.ts';
import { readReport, type Report, Results } from '../../bench/harness/report.ts';

const report: Report = {
  machine: { cpu: 'Some CPU', cores: 2, memory_gib: 24, os: 'linux', node: 'v26', load_average: 0.1 },
  results: [
    {
      name: 'pop/limit-1-64-in-flight-100k',
      unit: 'tasks/s',
      median: 15_230,
      min: 14_000,
      max: 16_000,
      p50_ms: 4.1,
      p99_ms: 9.87,
      load_cpu: 0.3,
      ratios: { 'pg-boss': 10.4 },
    },
    {
      name: 'rerank/1m-written',
      unit: 's',
      median: 41.2,
      min: 41.2,
      max: 41.2,
      p50_ms: null,
      p99_ms: null,
      load_cpu: null,
      ratios: {},
    },
  ],
  bars: [
    { name: 'pop/limit-1-64-in-flight-100k', what: '× pg-boss, at least', reached: 10.4, wanted: 3, met: true },
    { name: 'pop/limit-1-64-in-flight-100k', what: 'p99_ms at most', reached: 9.87, wanted: 5, met: false },
    { name: 'rerank/1m-written', what: 'median at most', reached: 41.2, wanted: 90, met: true },
  ],
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rota-report-'));
});
afterAll(() => rm(folder, { recursive: true }));

test.for([
  ['the line alone', JSON.stringify(report)],
  ['the line formatted', JSON.stringify(report, null, 2)],
  ['all that a run printed', `2 × Some CPU\n\npop: pops\n{"odd": 1}\n${JSON.stringify(report)}\n`],
])('a report is read from %s', async ([name, text]) => {
  const path = join(folder, `${name!.length}.json`);
  await writeFile(path, text!);
  expect(await readReport(path)).toEqual(report);
});

test('a file that holds none is named, with what was expected', async () => {
  const path = join(folder, 'none.json');
  await writeFile(path, '{"results": 3}');
  await expect(readReport(path)).rejects.toThrow(`${path}: expected the JSON line that a run with --json ends with`);
});

test('a table shows each bar with what was reached, and each figure with its spread and its latency', () => {
  const lines = markdown(report).split('\n');
  expect(lines).toContain('| `pop/limit-1-64-in-flight-100k` | pg-boss at least 3 × | 10.4 × | met |');
  expect(lines).toContain('| `pop/limit-1-64-in-flight-100k` | p99 at most 5 ms | 9.87 ms | **missed** |');
  expect(lines).toContain('| `rerank/1m-written` | median at most 90 s | 41.2 s | met |');
  expect(lines).toContain(
    '| `limit-1-64-in-flight-100k` | 15 200 tasks/s | 14 000 – 16 000 | 4.1 / 9.87 ms | 10.4 × pg-boss |',
  );
  expect(lines).toContain('| `1m-written` | 41.2 s |  |  |  |');
});

test.for([
  [15_234, '15 200'],
  [0.012_34, '0.0123'],
  [999.6, '1 000'],
  [1_234_567, '1 230 000'],
])('%d is shown as %s', ([value, text]) => {
  expect(figureText(value as number)).toBe(text);
});

function resultsOf(medians: Readonly<Record<string, number>>): Results {
  const results = new Results();
  for (const [name, median] of Object.entries(medians)) {
    results.add({
      name,
      unit: 'tasks/s',
      median,
      min: median - 1,
      max: median + 1,
      p50_ms: 3,
      p99_ms: null,
      load_cpu: null,
    });
  }
  return results;
}

test('a result has its ratio to what it is compared with, and meets a bar from that on', () => {
  const results = resultsOf({ 'pop/rota': 300, 'pop/peer': 100 });
  results.want('pop/rota', { against: 'peer', of: 'pop/peer', atLeast: 3 });
  results.want('pop/rota', { against: 'recorded', of: 200, atLeast: 2 });
  expect(results.get('pop/rota')?.ratios).toEqual({ peer: 3, recorded: 1.5 });
  expect(results.bars().map(({ reached, wanted, met }) => ({ reached, wanted, met }))).toEqual([
    { reached: 3, wanted: 3, met: true },
    { reached: 1.5, wanted: 2, met: false },
  ]);
});

test('what must not grow is missed where it does', () => {
  const results = resultsOf({ 'memory/late': 110, 'memory/early': 100 });
  results.want('memory/late', { against: 'early', of: 'memory/early', atMost: 1.05 });
  results.want('memory/late', { own: 'max', atMost: 111 });
  results.want('memory/late', { own: 'p50_ms', atMost: 2 });
  expect(results.bars().map(({ met }) => met)).toEqual([false, true, false]);
});

test('nothing is said of what was not measured: a peer that is absent, a latency that a case has not', () => {
  const results = resultsOf({ 'pop/rota': 300 });
  results.want('pop/rota', { against: 'peer', of: 'pop/peer', atLeast: 3 });
  results.want('pop/rota', { own: 'p99_ms', atMost: 3 });
  results.want('pop/absent', { own: 'median', atMost: 3 });
  expect(results.bars()).toEqual([]);
  expect(results.get('pop/rota')?.ratios).toEqual({});
});
