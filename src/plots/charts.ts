import { colourCount, drawing, type Element, element } from './svg.ts';

export interface Series {
  readonly label: string;
  /** Place in the palette: related series have neighbouring colours. */
  readonly colour: number;
  readonly dashed?: boolean;
  /** So many points that they are a line by themselves: none is marked, and only the first and the last are described. */
  readonly dense?: boolean;
  /** [x, y] in ascending order of x. */
  readonly points: readonly (readonly [number, number])[];
}

interface LineChart {
  readonly title: string;
  /** With its unit. */
  readonly x: { readonly label: string; readonly scale: (values: readonly number[]) => Scale };
  readonly y: { readonly label: string; readonly scale: (values: readonly number[]) => Scale };
  readonly series: readonly Series[];
}

const size = { width: 760, height: 400 };
/** Of the plot itself; the labels of the lines stand to its right. */
const plot = { left: 70, top: 74, right: 520, bottom: 340 };
const labelHeight = 17;

/** Lines named at their ends, without a legend. */
export function lineChart({ title, x, y, series }: LineChart): string {
  const points = series.flatMap((one) => one.points);
  const [across, up] = [x.scale(points.map(([at]) => at)), y.scale(points.map(([, value]) => value))];
  const xOf = (value: number) => plot.left + across.place(value) * (plot.right - plot.left);
  const yOf = (value: number) => plot.bottom - up.place(value) * (plot.bottom - plot.top);
  const ends = series.map((one) => yOf(one.points.at(-1)![1]));
  const told = ({ points, dense = false }: Series) => (dense ? [points[0]!, points.at(-1)!] : points);
  const valuesOf = (one: Series) => told(one).map(([at, value]) => `${shortNumber(value)} at ${shortNumber(at)}`);
  const lines = series.map((one) => `${one.label} ${valuesOf(one).join(', ')}`);
  const description = `${y.label} over ${x.label}: ${lines.join('; ')}.`;
  return drawing(size, { title, description }, [
    element('text', { x: 24, y: 54, class: 'faint' }, y.label),
    ...up.ticks.flatMap((tick) => [
      element('line', { x1: plot.left, x2: plot.right, y1: yOf(tick), y2: yOf(tick), class: 'grid' }),
      number(plot.left - 10, yOf(tick) + 4, 'end', tick),
    ]),
    element('line', { x1: plot.left, x2: plot.right, y1: plot.bottom, y2: plot.bottom, class: 'axis' }),
    ...across.ticks.flatMap((tick) => [
      element('line', { x1: xOf(tick), x2: xOf(tick), y1: plot.bottom, y2: plot.bottom + 5, class: 'axis' }),
      number(xOf(tick), plot.bottom + 21, 'middle', tick),
    ]),
    element('text', { x: (plot.left + plot.right) / 2, y: 382, 'text-anchor': 'middle', class: 'faint' }, x.label),
    ...series.flatMap((one) => curve(one, xOf, yOf)),
    ...apart(ends, labelHeight, plot.top, plot.bottom).map((at, index) =>
      element(
        'text',
        { x: plot.right + 14, y: at + 4, class: `fill${series[index]!.colour % colourCount}` },
        series[index]!.label,
      ),
    ),
  ]);
}

function number(x: number, y: number, anchor: string, value: number): Element {
  return element('text', { x, y, 'text-anchor': anchor, class: 'faint number' }, shortNumber(value));
}

function curve(
  { points, colour, dashed = false, dense = false }: Series,
  xOf: (value: number) => number,
  yOf: (value: number) => number,
): Element[] {
  const place = colour % colourCount;
  const corners = points.map(([x, y]) => `${xOf(x).toFixed(1)},${yOf(y).toFixed(1)}`).join(' ');
  return [
    element('polyline', { points: corners, class: `curve line${place}${dashed ? ' dashed' : ''}` }),
    ...(dense ? [] : points).map(([x, y]) =>
      element('circle', { cx: xOf(x), cy: yOf(y), r: 3.2, class: `fill${place}` }),
    ),
  ];
}

/** Where labels stand that want to be at `wanted`: in their order, none nearer to another than `height`. */
export function apart(wanted: readonly number[], height: number, top: number, bottom: number): number[] {
  const order = wanted.map((at, index) => ({ at, index })).sort((a, b) => a.at - b.at || a.index - b.index);
  let free = top;
  for (const label of order) free = (label.at = Math.max(label.at, free)) + height;
  let end = bottom;
  for (const label of order.toReversed()) end = (label.at = Math.min(label.at, end)) - height;
  const placed: number[] = [];
  for (const { at, index } of order) placed[index] = at;
  return placed;
}

interface BarChart {
  readonly title: string;
  /** With its unit. */
  readonly label: string;
  readonly bars: readonly { readonly label: string; readonly value: number; readonly colour: number }[];
}

const width = 760;
const [left, right] = [290, 690];
const [top, pitch, thickness] = [70, 28, 18];

/** Horizontal bars from zero, each with its name and its value. */
export function barChart({ title, label, bars }: BarChart): string {
  const across = linearScale(bars.map(({ value }) => value));
  const xOf = (value: number) => left + across.place(value) * (right - left);
  const bottom = top + bars.length * pitch;
  const description = `${label}: ${bars.map((bar) => `${bar.label} ${shortNumber(bar.value)}`).join('; ')}.`;
  return drawing({ width, height: bottom + 54 }, { title, description }, [
    ...across.ticks.flatMap((tick) => [
      element('line', { x1: xOf(tick), x2: xOf(tick), y1: top - 6, y2: bottom, class: tick === 0 ? 'axis' : 'grid' }),
      number(xOf(tick), bottom + 18, 'middle', tick),
    ]),
    element('text', { x: (left + right) / 2, y: bottom + 40, 'text-anchor': 'middle', class: 'faint' }, label),
    ...bars.flatMap((bar, at) => {
      const y = top + at * pitch;
      const colour = `fill${bar.colour % colourCount}`;
      return [
        element('text', { x: left - 12, y: y + 13, 'text-anchor': 'end' }, bar.label),
        element('rect', {
          x: left,
          y,
          width: Math.max(1, xOf(bar.value) - left),
          height: thickness,
          rx: 2,
          class: colour,
        }),
        element('text', { x: xOf(bar.value) + 7, y: y + 13, class: 'number' }, shortNumber(bar.value)),
      ];
    }),
  ]);
}

/** Where a value stands on an axis: 0 at its beginning, 1 at its end. */
interface Scale {
  place(value: number): number;
  readonly ticks: readonly number[];
}

/** From zero to the first round number that no value exceeds, in four to six steps of 1, 2 or 5 times a power of ten. */
export function linearScale(values: readonly number[]): Scale {
  const highest = Math.max(...values) || 1;
  const step = roundStep(highest / 5);
  const count = Math.max(1, Math.ceil(highest / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)));
  return { place: (value) => value / ticks.at(-1)!, ticks };
}

/** Whole powers of ten around the values. */
export function decadeScale(values: readonly number[]): Scale {
  const first = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => Number(`1e${first + at}`));
  return { place: (value) => (Math.log10(value) - first) / (last - first), ticks };
}

/** The values themselves, as far apart as their logarithms are: depths, requests in flight. */
export function steppedScale(values: readonly number[]): Scale {
  const ticks = [...new Set(values)].sort((a, b) => a - b);
  const first = Math.log(ticks[0]!);
  const span = Math.log(ticks.at(-1)!) - first;
  return { place: (value) => (span === 0 ? 0.5 : (Math.log(value) - first) / span), ticks };
}

function roundStep(least: number): number {
  const decade = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * decade).find((step) => step >= least - 1e-9)!;
}

/** `10 k`, `1.5 M`: three digits at most, as many as a figure is good for. */
export function shortNumber(value: number): string {
  const digits = (number: number) => String(Number(number.toPrecision(3)));
  if (value >= 999_500) return `${digits(value / 1_000_000)} M`;
  return value >= 9_995 ? `${digits(value / 1_000)} k` : withThousands(digits(value));
}

/** Of less than ten thousand. */
function withThousands(text: string): string {
  return /^\d{4}$/.test(text) ? `${text.slice(0, 1)} ${text.slice(1)}` : text;
}
