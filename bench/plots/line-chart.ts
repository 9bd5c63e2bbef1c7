import { type Scale, shortNumber } from './scale.ts';
import { colourCount, drawing, type Element, element } from './svg.ts';

export interface Series {
  readonly label: string;
  /** Place in the palette: related series have neighbouring colours. */
  readonly colour: number;
  readonly dashed?: boolean;
  /** [x, y] in ascending order of x. */
  readonly points: readonly (readonly [number, number])[];
}

export interface LineChart {
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

/** Lines that are named where they end, so that nobody looks things up in a legend. */
export function lineChart({ title, x, y, series }: LineChart): string {
  const points = series.flatMap((one) => one.points);
  const [across, up] = [x.scale(points.map(([at]) => at)), y.scale(points.map(([, value]) => value))];
  const xOf = (value: number) => plot.left + across.place(value) * (plot.right - plot.left);
  const yOf = (value: number) => plot.bottom - up.place(value) * (plot.bottom - plot.top);
  const ends = series.map((one) => yOf(one.points.at(-1)![1]));
  const description = `${y.label} over ${x.label}: ${series.map(({ label, points }) => `${label} ${points.map(([at, value]) => `${shortNumber(value)} at ${shortNumber(at)}`).join(', ')}`).join('; ')}.`;
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
  { points, colour, dashed = false }: Series,
  xOf: (value: number) => number,
  yOf: (value: number) => number,
): Element[] {
  const place = colour % colourCount;
  const corners = points.map(([x, y]) => `${xOf(x).toFixed(1)},${yOf(y).toFixed(1)}`).join(' ');
  return [
    element('polyline', { points: corners, class: `curve line${place}${dashed ? ' dashed' : ''}` }),
    ...points.map(([x, y]) => element('circle', { cx: xOf(x), cy: yOf(y), r: 3.2, class: `fill${place}` })),
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
