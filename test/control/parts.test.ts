import { expect, test } from 'vitest';
import { withRates } from '../../src/control/parts.ts';
import type { QueuePartView } from '../../src/protocol/operator-status.ts';

const part = (name: string, queued: number): QueuePartView => {
  const figures = { queued_is_least: false, held: 0, held_is_least: false, oldest_seconds: 1, per_second: null };
  return { scheduler: 'boefje', name, queued, ...figures };
};
const rate = (name: string, per_second: number, failed: number) => ({ scheduler: 'boefje', name, per_second, failed });
const shown = (views: ReturnType<typeof withRates>) =>
  views.map(({ name, queued, per_second, failed }) => [name, queued, per_second, failed]);

test('rates of several supervisors are summed; what only fails follows, most failures first', () => {
  const views = withRates(
    [part('aa', 5), part('bb', 2)],
    [
      [rate('aa', 1, 2), rate('cc', 0.5, 0)],
      [rate('aa', 2, 1), rate('dd', 0, 9)],
    ],
  );
  expect(shown(views)).toEqual([
    ['aa', 5, 3, 3],
    ['bb', 2, 0, 0],
    ['dd', 0, 0, 9],
    ['cc', 0, 0.5, 0],
  ]);
});

test('what a supervisor told only together with others is not taken for nothing', () => {
  expect(shown(withRates([part('aa', 5), part('bb', 2)], [[rate('aa', 1, 2), rate('', 7, 7)]]))).toEqual([
    ['aa', 5, 1, 2],
    ['bb', 2, null, null],
  ]);
});

test('where not all that is queued was told, what is handed out is not taken for gone', () => {
  const parts = Array.from({ length: 100 }, (_none, n) => part(`org-${n}`, 3));
  expect(withRates(parts, [[rate('org-101', 1, 1)]])).toHaveLength(100);
});

test('of images no failures are told', () => {
  expect(shown(withRates([{ ...part('nmap', 5), per_second: 2 }], null))).toEqual([['nmap', 5, 2, null]]);
});
