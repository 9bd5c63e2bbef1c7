import { expect, test } from 'vitest';
import { barChart, heightsOf, lastHours } from '../../src/page/chart.ts';

const series = [
  { name: 'completed', css: 'done' },
  { name: 'failed', css: 'failed' },
] as const;

test('heights are of the highest, and what is there at all is seen', () => {
  expect(heightsOf([50, 25], 100)).toEqual([50, 25]);
  expect(heightsOf([0, 1], 1_000_000)).toEqual([0, 1]);
  expect(heightsOf([0], 0)).toEqual([0]);
});

test('bars stand on each other, with attributes and classes alone, and have a table behind them', () => {
  const text = String(
    barChart('Tasks by hour', 'tasks', series, [
      { label: '13:00', values: [60, 20] },
      { label: '14:00', values: [0, 0], marks: ['14:05 ann: "><script>'] },
    ]),
  );
  const bars = [...text.matchAll(/<rect class="(done|failed)" x="(\d+)" y="(\d+)" width="10" height="(\d+)"/g)];
  expect(bars.map(([, ...bar]) => bar)).toEqual([
    ['done', '0', '31', '75'],
    ['failed', '0', '6', '25'],
  ]);
  expect(text).toContain('aria-label="Tasks by hour: 60 completed, 20 failed tasks"');
  expect(text).toMatch(/<details>.*<table.*>.*13:00.*14:05 ann.*<\/table>.*<\/details>/s);
  expect(text).not.toMatch(/style=|<script/);
});

test('a day is the 24 hours until now, over midnight', () => {
  const hours = lastHours(Date.parse('2026-11-30T12:31:00Z'));
  expect([hours.length, hours[0], hours.at(-1)]).toEqual([24, '2026-11-29T13:00:00.000Z', '2026-11-30T12:00:00.000Z']);
});
