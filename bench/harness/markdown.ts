import type { Report, Bar, Result } from './report.ts';

/** A run as docs/benchmark-results.md shows it: the machine, the bars, and every figure by suite. */
export function markdown({ machine, results, bars }: Report): string {
  const { cpu, cores, memory_gib, os, node, load_average } = machine;
  const suites = Map.groupBy(results, ({ name }) => name.slice(0, name.indexOf('/')));
  return [
    `Measured on ${cores} × ${cpu}, ${memory_gib} GiB, ${os}, Node ${node}; load average at the start ${load_average}.`,
    ...(bars.length === 0
      ? []
      : [
          table(
            ['What', 'Wanted', 'Reached', ''],
            bars.map((bar) => barRow(bar, results)),
          ),
        ]),
    ...[...suites].map(([suite, ofSuite]) =>
      [`### ${suite}`, table(['Case', 'Median', 'Least – most', 'p50 / p99', 'Beside others'], ofSuite.map(row))].join(
        '\n\n',
      ),
    ),
  ].join('\n\n');
}

/** A bar of the figure itself has the figure's unit, one of a ratio has none. */
function barRow({ name, what, reached, wanted, met }: Bar, results: readonly Result[]): string[] {
  const [, own, how] = /^(median|max|p50_ms|p99_ms) (at most)$/.exec(what) ?? [];
  const ofFigure = own?.endsWith('_ms') ? 'ms' : results.find((result) => result.name === name)?.unit;
  const unit = own === undefined ? '×' : (ofFigure ?? '');
  const text =
    own === undefined
      ? what.replace('× ', '').replace(/, (at least|at most)$/, ' $1')
      : `${own.replace('_ms', '')} ${how}`;
  return [
    `\`${name}\``,
    `${text} ${figureText(wanted)} ${unit}`,
    `${figureText(reached)} ${unit}`,
    met ? 'met' : '**missed**',
  ];
}

function row({ name, unit, median, min, max, p50_ms, p99_ms, ratios }: Result): string[] {
  const latency = p50_ms === null || p99_ms === null ? '' : `${figureText(p50_ms)} / ${figureText(p99_ms)} ms`;
  const beside = Object.entries(ratios).map(([against, ratio]) => `${figureText(ratio)} × ${against}`);
  return [
    `\`${name.slice(name.indexOf('/') + 1)}\``,
    `${figureText(median)} ${unit}`,
    min === max ? '' : `${figureText(min)} – ${figureText(max)}`,
    latency,
    beside.join(', '),
  ];
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Three digits, thousands apart. */
export function figureText(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded >= 1_000 ? Math.round(rounded).toLocaleString('en').replaceAll(',', ' ') : String(rounded);
}

const marks = ['<!-- results: node bench/show.ts writes what follows -->', '<!-- end of results -->'] as const;

/**
 * A page with other results between its marks.
 * @throws where it has none.
 */
export function withResults(page: string, results: string): string {
  const [from, to] = marks.map((mark) => page.indexOf(mark)) as [number, number];
  if (from === -1 || to < from) throw new Error(`the page has no place for results: expected ${marks.join(' … ')}`);
  return `${page.slice(0, from + marks[0].length)}\n\n${results}\n\n${page.slice(to)}`;
}
