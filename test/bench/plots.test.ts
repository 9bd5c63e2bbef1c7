import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Result } from '../../bench/harness/report.ts';
import {
  barChart,
  apart,
  lineChart,
  decadeScale,
  linearScale,
  shortNumber,
  steppedScale,
} from '../../src/plots/charts.ts';
import { plots } from '../../bench/plots/figures.ts';

function result(name: string, median: number, p50_ms: number | null = null, p99_ms: number | null = null): Result {
  return { name, unit: 'tasks/s', median, min: median, max: median, p50_ms, p99_ms, load_cpu: null, ratios: {} };
}

const run = [
  result('pop/limit-1-64-in-flight-10k', 20_000, 3, 9),
  result('pop/limit-1-64-in-flight-100k', 18_000, 3, 10),
  result('pop/limit-1-1-in-flight-100k', 1_200, 0.8, 2),
  result('pop/pg-boss-fetch-1-16-in-flight-100k', 1_100),
  result('push/normalizer-single-64-in-flight', 15_000),
  result('push/pg-boss-single-16-clients', 2_500),
];

test('the same results draw the same bytes, in whatever order they come', () => {
  expect([...plots(run.toReversed())]).toEqual([...plots(run)]);
});

test('a run draws what it has figures for, and nothing else', () => {
  expect([...plots(run).keys()]).toEqual([
    'throughput-over-depth.svg',
    'latency-over-load.svg',
    'throughput-over-load.svg',
    'pops-against-peers.svg',
    'pushes-against-peers.svg',
  ]);
  expect([...plots(run.slice(0, 1)).keys()]).toEqual([]);
});

test('a quick run draws what it has at 100 000 in the place of a full one', () => {
  const quick = [
    result('push/normalizer-single-64-in-flight-10k', 9_000),
    result('push/normalizer-single-64-in-flight-100k', 15_000),
    result('push/pg-boss-single-16-clients', 2_500),
  ];
  expect(plots(quick).get('pushes-against-peers.svg')).toBe(plots(run).get('pushes-against-peers.svg'));
});

test('every drawing is well-formed, names its axes and units, and has a description for readers who cannot see it', () => {
  for (const svg of plots(run).values()) {
    expect(unbalanced(svg)).toEqual([]);
    expect(svg).toMatch(/<desc>[^<]{20,}<\/desc>/);
    expect(svg).toMatch(/>(?:tasks\/s|ms)</);
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test('a label cannot break out of the drawing', () => {
  const svg = barChart({ title: '<b> & "c"', label: 'tasks/s', bars: [{ label: '</svg>', value: 1, colour: 0 }] });
  expect(unbalanced(svg)).toEqual([]);
  expect(svg).toContain('&lt;/svg&gt;');
});

test('twice the value is twice as high', () => {
  const series = [
    {
      label: 'a',
      colour: 0,
      points: [
        [1, 10],
        [2, 20],
      ] as const,
    },
  ];
  const x = { label: 'x', scale: steppedScale };
  const svg = lineChart({ title: 't', x, y: { label: 'tasks/s', scale: linearScale }, series });
  const [, first, second] = /points="[\d.]+,([\d.]+) [\d.]+,([\d.]+)"/.exec(svg)!.map(Number);
  const zero = Number(/y1="([\d.]+)" y2="\1" class="axis"/.exec(svg)![1]);
  expect((zero - second!) / (zero - first!)).toBeCloseTo(2, 3);
});

test('a longer bar is drawn for a larger value, to scale', () => {
  const bars = [
    { label: 'a', value: 100, colour: 0 },
    { label: 'b', value: 400, colour: 0 },
  ];
  const widths = [...barChart({ title: 't', label: 'tasks/s', bars }).matchAll(/width="([\d.]+)" height="18"/g)];
  expect(Number(widths[1]![1]) / Number(widths[0]![1])).toBeCloseTo(4, 3);
});

test('an axis from zero ends with a round number that no value exceeds', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1e9, noNaN: true }), (highest) => {
      const { ticks, place } = linearScale([highest]);
      expect(ticks[0]).toBe(0);
      expect(ticks.length).toBeLessThanOrEqual(7);
      expect(place(highest)).toBeLessThanOrEqual(1 + 1e-9);
      expect(place(highest)).toBeGreaterThan(0.5);
    }),
  );
});

test('an axis of decades holds all values', () => {
  expect(decadeScale([0.3, 42]).ticks).toEqual([0.1, 1, 10, 100]);
  expect(decadeScale([1, 10]).ticks).toEqual([1, 10]);
});

test('labels keep their order and never overlap', () => {
  const wanted = fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { minLength: 1, maxLength: 15 });
  fc.assert(
    fc.property(wanted, (given) => {
      const placed = apart(given, 17, 0, 300);
      const byWanted = given.map((at, index) => ({ at, index })).toSorted((a, b) => a.at - b.at || a.index - b.index);
      const inOrder = byWanted.map(({ index }) => placed[index]!);
      for (const [at, place] of inOrder.entries()) {
        if (at > 0) expect(place - inOrder[at - 1]!).toBeGreaterThanOrEqual(17 - 1e-6);
      }
      expect(Math.max(...inOrder)).toBeLessThanOrEqual(300 + 1e-6);
    }),
  );
});

test.for([
  [0, '0'],
  [0.1, '0.1'],
  [950, '950'],
  [5_470, '5 470'],
  [10_000, '10 k'],
  [36_549, '36.5 k'],
  [1_000_000, '1 M'],
])('%d is written %s', ([value, text]) => {
  expect(shortNumber(value as number)).toBe(text);
});

/** Tags that are opened and not closed, or closed and not opened. */
function unbalanced(svg: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, closing, name, empty] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (closing === '/') {
      if (open.pop() !== name) wrong.push(name!);
    } else if (empty !== '/') open.push(name!);
  }
  return [...wrong, ...open];
}
