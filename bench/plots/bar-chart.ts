import { linearScale, shortNumber } from './scale.ts';
import { colourCount, drawing, element } from './svg.ts';

export interface BarChart {
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
      element(
        'text',
        { x: xOf(tick), y: bottom + 18, 'text-anchor': 'middle', class: 'faint number' },
        shortNumber(tick),
      ),
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
