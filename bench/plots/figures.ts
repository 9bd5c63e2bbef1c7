import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Result } from '../harness/report.ts';
import { barChart, lineChart, type Series, decadeScale, linearScale, steppedScale } from '../../src/plots/charts.ts';

type Results = ReadonlyMap<string, Result>;
type Figure = (results: Results) => string | null;

const depths = [10_000, 100_000, 1_000_000, 10_000_000];
const names = ['10k', '100k', '1m', '10m'];
const loads = [1, 16, 64, 256];

/** File name → its drawing, null where a run has too little for it. */
const figures: Readonly<Record<string, Figure>> = {
  'throughput-over-depth': (results) =>
    lines(results, {
      title: 'Pops per second, by tasks in the queue',
      x: { label: 'tasks queued', scale: steppedScale },
      y: { label: 'tasks/s', scale: linearScale },
      series: [
        ['Rota, limit 100', 0, 'limit-100-16-in-flight'],
        ['Rota, limit 1, 256 in flight', 0, 'limit-1-256-in-flight'],
        ['Rota, limit 1, 64 in flight', 1, 'limit-1-64-in-flight'],
        ['graphile-worker, local queue', 3, 'graphile-worker-local-queue'],
        ['graphile-worker, one at a time', 2, 'graphile-worker-one-at-a-time-24'],
        ['pg-boss, fetch(100)', 5, 'pg-boss-fetch-100-4-in-flight'],
        ['pg-boss, fetch(1)', 4, 'pg-boss-fetch-1-16-in-flight'],
      ].map(([label, colour, name]) => ({
        label: String(label),
        colour: Number(colour),
        at: depths.map((depth, place) => [depth, `pop/${name}-${names[place]}`, 'median'] as const),
      })),
    }),
  'latency-over-load': (results) =>
    lines(results, {
      title: 'How long a pop takes, by pops in flight (100 k queued)',
      x: { label: 'requests in flight', scale: steppedScale },
      y: { label: 'ms', scale: decadeScale },
      series: [
        ['Rota, p99', 0, 'pop/limit-1-#-in-flight-100k', 'p99_ms', true],
        ['Rota, p50', 0, 'pop/limit-1-#-in-flight-100k', 'p50_ms', false],
        ['bare NATS, p99', 7, 'pop/nats-request-reply-#-in-flight', 'p99_ms', true],
        ['bare NATS, p50', 7, 'pop/nats-request-reply-#-in-flight', 'p50_ms', false],
      ].map(([label, colour, name, value, dashed]) => ({
        label: String(label),
        colour: Number(colour),
        dashed: dashed === true,
        at: loads.map((load) => [load, String(name).replace('#', String(load)), value as 'p50_ms' | 'p99_ms'] as const),
      })),
    }),
  'throughput-over-load': (results) =>
    lines(results, {
      title: 'Tasks per second, by requests in flight (100 k queued)',
      x: { label: 'requests in flight', scale: steppedScale },
      y: { label: 'tasks/s', scale: linearScale },
      series: [
        ['pops, limit 1', 0, 'pop/limit-1-#-in-flight-100k'],
        ['pushes without schedule', 2, 'push/normalizer-single-#-in-flight'],
        ['pushes with schedule', 3, 'push/boefje-single-#-in-flight'],
        ['whole lives of tasks', 4, 'cycle/#-workers'],
      ].map(([label, colour, name]) => ({
        label: String(label),
        colour: Number(colour),
        at: loads.map((load) => [load, String(name).replace('#', String(load)), 'median'] as const),
      })),
    }),
  'pops-against-peers': (results) =>
    bars(results, 'Pops, 100 k queued', [
      ['Rota, one by one, 64 in flight', 0, 'pop/limit-1-64-in-flight-100k'],
      ['Rota, one by one, 256 in flight', 0, 'pop/limit-1-256-in-flight-100k'],
      ['Rota, sets of 100', 0, 'pop/limit-100-16-in-flight-100k'],
      ['Rota, sets of 100, completed', 0, 'pop/limit-100-completed-100k'],
      ['graphile-worker, one at a time, completed', 2, 'pop/graphile-worker-one-at-a-time-24-100k'],
      ['graphile-worker, local queue, completed', 2, 'pop/graphile-worker-local-queue-100k'],
      ['pg-boss, fetch(1), completed', 4, 'pop/pg-boss-fetch-1-16-in-flight-100k'],
      ['pg-boss, fetch(100), completed', 4, 'pop/pg-boss-fetch-100-4-in-flight-100k'],
      ['bare claim statement, one row', 7, 'pop/pgbench-claims-of-1-16-clients'],
      ['bare claim statement, sets of 100', 7, 'pop/pgbench-claims-of-100-4-clients'],
    ]),
  'pushes-against-peers': (results) =>
    bars(results, 'Pushes', [
      ['Rota, single, 64 in flight', 0, 'push/normalizer-single-64-in-flight'],
      ['Rota, single with schedule, 64 in flight', 0, 'push/boefje-single-64-in-flight'],
      ['graphile-worker, addJob', 2, 'push/graphile-worker-single-16-clients'],
      ['pg-boss, send', 4, 'push/pg-boss-single-16-clients'],
      ['Rota, sets of 1 000', 0, 'push/normalizer-sets-of-1000'],
      ['Rota, sets of 1 000 with schedules', 0, 'push/boefje-sets-of-1000'],
      ['graphile-worker, addJobs(1 000)', 2, 'push/graphile-worker-sets-of-1000'],
      ['pg-boss, insert(1 000)', 4, 'push/pg-boss-sets-of-1000'],
      ['bare push statement', 7, 'push/pgbench-sets-of-1000-normalizer'],
      ['bare push statement with schedules', 7, 'push/pgbench-sets-of-1000-boefje'],
    ]),
};

/** File name → SVG, of all for which the run has figures. The same results draw the same bytes. */
export function plots(results: readonly Result[]): ReadonlyMap<string, string> {
  // A quick run has pushes and lives at 100 000 only where a full one has them without a backlog.
  const plain = results
    .filter(({ name }) => name.endsWith('-100k'))
    .map((result) => [result.name.slice(0, -5), result] as const);
  const known = new Map([...plain, ...results.map((result) => [result.name, result] as const)]);
  const drawn = new Map<string, string>();
  for (const [name, figure] of Object.entries(figures)) {
    const svg = figure(known);
    if (svg !== null) drawn.set(`${name}.svg`, svg);
  }
  return drawn;
}

/** @returns the paths that were written */
export async function writePlots(results: readonly Result[], directory: string): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  const written: string[] = [];
  for (const [name, svg] of plots(results)) {
    await writeFile(join(directory, name), svg);
    written.push(join(directory, name));
  }
  return written;
}

interface WantedSeries extends Omit<Series, 'points'> {
  readonly at: readonly (readonly [number, string, 'median' | 'p50_ms' | 'p99_ms'])[];
}

/** Where a run has one point of a series it has no line; with one line there is nothing to compare. */
function lines(
  results: Results,
  chart: Omit<Parameters<typeof lineChart>[0], 'series'> & { readonly series: readonly WantedSeries[] },
): string | null {
  const series = chart.series.map(({ at, ...one }) => ({
    ...one,
    points: at.flatMap(([x, name, value]) => {
      const y = results.get(name)?.[value];
      return y === undefined || y === null || y <= 0 ? [] : [[x, y] as const];
    }),
  }));
  const drawn = series.filter(({ points }) => points.length > 1);
  return drawn.length === 0 ? null : lineChart({ ...chart, series: drawn });
}

function bars(results: Results, title: string, wanted: readonly (readonly [string, number, string])[]): string | null {
  const found = wanted.flatMap(([label, colour, name]) => {
    const value = results.get(name)?.median;
    return value === undefined ? [] : [{ label, colour, value }];
  });
  return found.length < 2 ? null : barChart({ title, label: 'tasks/s', bars: found });
}
