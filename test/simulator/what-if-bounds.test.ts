import { expect, test } from 'vitest';
import { whatIfText } from '../../src/cli/what-if.ts';
import { plotOf } from '../../src/simulator/what-if/plot.ts';
import { runDays } from '../../src/simulator/what-if/run.ts';
import { standingOf } from '../../src/simulator/what-if/standing.ts';
import { WaitTimes } from '../../src/simulator/what-if/wait-times.ts';
import { options, predict, queued, snapshotOf } from '../support/what-if-snapshot.ts';

const arrivals = [{ organisation: 'globex', plugin: 'nmap', image: 'kat/nmap', manual: false, perSecond: 10 }];

test('a run ends where more tasks wait than the process takes, and says so', async () => {
  const report = await predict(snapshotOf({ arrivals }), { workers: ['boefje 0'] }, { mostWaiting: 35_000 });
  const all = report.queues.find(({ organisation }) => organisation === null)!;
  const full = report.full_after_seconds;
  for (const [outcome, seconds] of [
    [all.as_it_is, full.as_it_is!],
    [all.with_change!, full.with_change!],
  ] as const) {
    expect(outcome.most).toBeGreaterThan(39_400);
    expect(outcome.most).toBeLessThan(40_000);
    // Until then, ten come each second; two days would make 1.7 million.
    expect(seconds).toBeGreaterThan(3_000);
    expect(seconds).toBeLessThan(5_000);
    expect(outcome.depth.length).toBeLessThan(report.points.length);
  }
  expect(report.cut).toEqual([
    expect.stringMatching(/^as it is, more than 39400 tasks wait after 59m 15s: the time after that is left out$/),
    expect.stringMatching(
      /^with the change, more than 39400 tasks wait after 58m 25s: the time after that is left out$/,
    ),
  ]);
  expect(whatIfText(report)).toMatch(/ acme .* not in 59m 15s → not in 58m 25s\n/);
  expect(plotOf(report)).not.toContain('NaN');
});

test('what begins with more than that may still be worked off', async () => {
  const report = await predict(
    snapshotOf({ arrivals: [], schedules: [] }),
    { workers: ['boefje 8'] },
    { mostWaiting: 100 },
  );
  expect(report.full_after_seconds).toEqual({ as_it_is: null, with_change: null });
  expect(report.cut).toEqual([]);
});

test('beyond the 1 000 organisations with most to do each is counted, and none has a row', async () => {
  const small = Array.from({ length: 1_200 }, (_none, n) => queued(`org-${String(n).padStart(4, '0')}`, 1)).flat();
  const snapshot = snapshotOf({ queued: [...small, ...queued('acme', 5)] });
  const { queues, untold } = await runDays(snapshot, standingOf(snapshot), options);
  const told = queues.get('boefje')!;
  expect(told.get(null)!.now).toBe(1_205);
  expect(told.size).toBe(1 + 1_000);
  for (const name of ['acme', 'globex', 'initech']) expect(told.has(name)).toBe(true);
  expect(untold.get('boefje')!.size).toBe(203);
  const { others } = await predict(snapshot, {});
  // A hundred are in the report.
  expect(others).toEqual({ boefje: 1_103 });
});

test('waits of days take as little room as the seconds that occur', () => {
  const waits = new WaitTimes();
  for (const seconds of [1, 86_400, 30 * 86_400]) waits.add(seconds);
  expect(waits.size).toBe(3);
  expect(waits.quantile(1, new WaitTimes())!.seconds / (30 * 86_400)).toBeCloseTo(1, 1);
});

test('organisations whose name is empty, or all, are not the total', async () => {
  const tasks = [...queued('', 3), ...queued('all', 2)];
  const report = await predict(snapshotOf({ queued: tasks, schedules: [], arrivals: [] }), {});
  const counts = report.queues
    .filter(({ scheduler }) => scheduler === 'boefje')
    .map(({ organisation, as_it_is: outcome }) => [organisation, outcome.now, outcome.handed_out]);
  expect(counts).toEqual([
    [null, 5, 5],
    ['', 3, 3],
    ['all', 2, 2],
  ]);
  expect(whatIfText(report)).toMatch(/\nboefje +\(all\) +5 .*\nboefje +3 .*\nboefje +all +2 /);
});

test.for(['\ufffe', '\uffff', '\ud800', '\u0001'])(
  'an organisation named %j is drawn as well-formed XML',
  async (name) => {
    const svg = plotOf(await predict(snapshotOf({ queued: queued(`a${name}\u{1f40d}`, 3) }), {}));
    expect(svg).not.toContain(name);
    expect(svg).toContain('\u{1f40d}');
  },
);
