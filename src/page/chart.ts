import { each, type Html, html } from './html.ts';
import { figure, tableOf } from './pieces.ts';

/** Charts as SVG: attributes and classes only, since the page allows no styles in place. Each has a table behind it. */

export interface Series {
  readonly name: string;
  /** Of its bars, in page.css. */
  readonly css: 'done' | 'failed';
}

export interface Bar {
  /** What it stands for: an hour. */
  readonly label: string;
  /** One for each series, the lowest first. */
  readonly values: readonly number[];
  /** What else happened then, which is marked above the bar. */
  readonly marks?: readonly string[];
  /** The page tells of it below. */
  readonly chosen?: boolean;
}

/** Of the drawing, which the browser stretches: a bar takes 10 of its 12. */
const [barWidth, gap, height, markHeight] = [10, 2, 100, 6] as const;

/**
 * Stacked bars.
 *
 * @param unit what is counted, for who hears the chart instead of seeing it
 * @param axis below the bars, instead of the labels of the first, the middle and the last
 */
export function barChart(
  title: string,
  unit: string,
  series: readonly Series[],
  bars: readonly Bar[],
  { marks = 'people acted', axis }: { readonly marks?: string; readonly axis?: Html } = {},
): Html {
  const sums = bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const most = Math.max(...sums, 0);
  const width = bars.length * (barWidth + gap);
  const total = (at: number) => bars.reduce((sum, { values }) => sum + (values[at] ?? 0), 0);
  const says = series.map(({ name }, at) => `${total(at).toLocaleString('en')} ${name}`).join(', ');
  const marked = bars.some(({ marks = [] }) => marks.length > 0);
  return html`<figure class="chart">
    <figcaption>
      ${title}
      ${each(
        series,
        ({ name, css }, at) =>
          html`<span class="key"
            ><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${css}" width="10" height="10" /></svg> ${name}
            ${figure(total(at))}</span
          >`,
      )}
      ${
        marked &&
        html`<span class="key"
          ><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="mark" width="10" height="10" /></svg> ${marks}</span
        >`
      }
      <span class="soft">highest ${figure(most)}</span>
    </figcaption>
    <svg
      class="chart"
      viewBox="0 0 ${width} ${height + markHeight}"
      preserveAspectRatio="none"
      role="img"
      aria-label="${title}: ${says} ${unit}"
    >
      ${bars.map((bar, at) => barOf(bar, at, most, series))}
    </svg>
    ${axis ?? axisOf(bars)}
    <details>
      <summary>As a table</summary>
      ${tableOf(
        title,
        ['When', ...series.map(({ name }) => name), ...(marked ? ['What happened'] : [])],
        bars.map(({ label, values, marks = [] }) => [
          label,
          ...values.map((value) => figure(value)),
          ...(marked ? [marks.join('; ')] : []),
        ]),
        { none: 'Nothing to count.' },
      )}
    </details>
  </figure>`;
}

function axisOf(bars: readonly Bar[]): Html {
  if (bars.length < 2) return html``;
  return html`<div class="axis" aria-hidden="true">
    <span>${bars[0]!.label}</span><span>${bars[Math.floor(bars.length / 2)]!.label}</span
    ><span>${bars.at(-1)!.label}</span>
  </div>`;
}

function barOf(
  { label, values, marks = [], chosen = false }: Bar,
  at: number,
  most: number,
  series: readonly Series[],
): Html {
  const x = at * (barWidth + gap);
  const heights = heightsOf(values, most);
  const says = values.map((value, of) => `${value.toLocaleString('en')} ${series[of]?.name ?? ''}`);
  let top = height + markHeight;
  return html`<g>
    <title>${[label, ...says, ...marks].join(' · ')}</title>
    <rect class="room ${chosen && 'chosen'}" x="${x}" y="0" width="${barWidth + gap}" height="${height + markHeight}" />
    ${heights.map((tall, of) => {
      top -= tall;
      return tall === 0
        ? html``
        : html`<rect class="${series[of]?.css}" x="${x}" y="${top}" width="${barWidth}" height="${tall}" />`;
    })}
    ${marks.length > 0 && html`<rect class="mark" x="${x}" y="0" width="${barWidth}" height="${markHeight - 2}" />`}
  </g>`;
}

/** Of a hundred, in whole numbers; what is there at all is seen: 1 at least. */
export function heightsOf(values: readonly number[], most: number): readonly number[] {
  return values.map((value) => (value > 0 && most > 0 ? Math.max(1, Math.round((value / most) * height)) : 0));
}

/** The 24 hours until now, as ISO timestamps of their beginnings, UTC. */
export function lastHours(now: number): readonly string[] {
  const hourMs = 3_600_000;
  const last = Math.floor(now / hourMs) * hourMs;
  return Array.from({ length: 24 }, (_none, at) => new Date(last - (23 - at) * hourMs).toISOString());
}
