import { lineChart, linearScale, type Series } from '../../plots/charts.ts';
import { excerpt, oneLine } from '../../printable.ts';
import type { QueueOutcome } from './depths.ts';
import type { WhatIfReport } from './report.ts';

/** Organisations that are drawn. */
const drawn = 4;
/** What has room beside the lines. */
const labelLength = 24;

/** Who waits over time, in the scheduler with most tasks: as it is, and with the change where there is one. */
export function plotOf({ queues, points, days, at }: WhatIfReport): string {
  const mostOf = ({ as_it_is: one, with_change: other }: WhatIfReport['queues'][number]) =>
    Math.max(one.most, other?.most ?? 0);
  const [first] = queues.filter(({ organisation }) => organisation === null).toSorted((a, b) => mostOf(b) - mostOf(a));
  const scheduler = first?.scheduler ?? 'boefje';
  const told = queues.filter((it) => it.scheduler === scheduler && it.organisation !== null).slice(0, drawn);
  const pointsOf = ({ depth }: QueueOutcome) => depth.map((tasks, n) => [points[n]! / 3_600, tasks] as const);
  const series = told.flatMap(({ organisation, as_it_is: before, with_change: after }, n): readonly Series[] => {
    const label = excerpt(oneLine(organisation!), labelLength);
    const line = { colour: 2 * n, dense: true };
    if (after === null) return [{ ...line, label, points: pointsOf(before) }];
    return [
      { ...line, label: `${label}, as it is`, dashed: true, points: pointsOf(before) },
      { ...line, label: `${label}, with the change`, points: pointsOf(after) },
    ];
  });
  const empty: Series = { label: 'nothing waits', colour: 7, dense: true, points: points.map((s) => [s / 3_600, 0]) };
  return lineChart({
    title: `Who waits in ${scheduler}: ${days} ${days === 1 ? 'day' : 'days'} from ${at.slice(0, 16)}Z on`,
    x: { label: 'hours', scale: linearScale },
    y: { label: 'tasks that wait', scale: linearScale },
    series: series.length === 0 ? [empty] : series,
  });
}
