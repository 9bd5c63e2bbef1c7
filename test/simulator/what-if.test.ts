import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { whatIfText } from '../../src/cli/what-if.ts';
import { changedStanding, type GivenChanges } from '../../src/cli/what-if-changes.ts';
import { plotOf } from '../../src/simulator/what-if/plot.ts';
import { whatIf } from '../../src/simulator/what-if/report.ts';
import { standingOf } from '../../src/simulator/what-if/standing.ts';
import { WaitTimes } from '../../src/simulator/what-if/wait-times.ts';
import type { SchedulerSnapshot, Snapshot } from '../../src/simulator/what-if/snapshot.ts';
import { at, hour, options, predict, queued, snapshotOf } from '../support/what-if-snapshot.ts';

function subject(hash: string) {
  return { organisation: 'acme', plugin: 'nmap', image: 'kat/nmap', hash, ooi: null };
}

test('the example of docs/simulation.md is what is printed', async () => {
  const report = await predict(snapshotOf(), { pause: ['boefje --organisation acme'] });
  const page = readFileSync(new URL('../../docs/simulation.md', import.meta.url), 'utf8');
  const [, example] = /<!-- example: what-if -->\n\n((?: {4}.*\n|\n(?= {4}))+)/.exec(page) ?? [];
  expect(example?.replaceAll(/^ {4}/gm, '').trimEnd()).toBe(whatIfText(report));
});

test('the same seed answers the same, another one differs a little', async () => {
  const given = { workers: ['boefje 8'] };
  const first = JSON.stringify(await predict(snapshotOf(), given));
  expect(JSON.stringify(await predict(snapshotOf(), given))).toBe(first);
  expect(JSON.stringify(await predict(snapshotOf(), given, { seed: 2 }))).not.toBe(first);
});

test.for<[GivenChanges, string]>([
  [{ pause: ['bofje'] }, '--pause "bofje": no scheduler bofje; there are: boefje, normalizer, report'],
  [{ pause: [''] }, `--pause "": missing required argument 'scheduler'`],
  [
    { pause: ['boefje --nats nats://x'] },
    '--pause "boefje --nats nats://x": --nats is for a Rota that runs: nothing is asked of one here',
  ],
  [{ pause: ["boefje --organisation 'acme"] }, `--pause "boefje --organisation 'acme": a quote without its other one`],
  [{ resume: ['boefje'] }, '--resume "boefje": '],
  [
    { weight: ['boefje acme 0'] },
    "--weight \"boefje acme 0\": command-argument value '0' is invalid for argument 'weight'. expected a number from 0.001 to 1000",
  ],
  [
    { limit: ['shodan --boefje shodan'] },
    '--limit "shodan --boefje shodan": rate: expected a rate, a concurrency, or both',
  ],
  [
    { limit: ['shodan --rate often'] },
    "--limit \"shodan --rate often\": option '--rate <tasks/duration>' argument 'often' is invalid.",
  ],
  [
    { limit: ["a --key 'host:{hots}' --concurrency 1"] },
    '--limit "a --key \'host:{hots}\' --concurrency 1": key: unknown placeholder {hots}',
  ],
  [{ window: ['nights --opens 61'] }, '--window "nights --opens 61": expected cron and seconds'],
  [{ withoutLimit: ['shodan'] }, '--without-limit "shodan": no limit shodan; there are: none'],
  [{ workers: ['boefje'] }, '--workers "boefje": expected a scheduler and a number, such as boefje 8'],
  [{ workers: ['boefje many'] }, '--workers "boefje many": expected a whole number from 0 to 100000.'],
])('%j is refused in a sentence that names the option', async ([given, sentence]) => {
  const snapshot = snapshotOf();
  const refused = changedStanding(snapshot, standingOf(snapshot), given);
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining(sentence) });
});

test('words within quotes are one', async () => {
  const snapshot = snapshotOf();
  const words = `nights --opens '0 22 * * *' --for 8h --boefje "nmap" --zone Europe/Amsterdam`;
  const { limits } = await changedStanding(snapshot, standingOf(snapshot), { window: [words] });
  const hours = { zone: 'Europe/Amsterdam', cron: '0 22 * * *', seconds: 8 * 3_600 };
  expect(limits).toMatchObject([{ name: 'nights', plugin: 'nmap', hours }]);
});

test('what is drawn is who waits, as it is and with the change', async () => {
  const svg = plotOf(await predict(snapshotOf(), { pause: ['boefje --organisation acme'] }));
  expect(svg).toMatch(/^<svg [^>]*>\n<title>Who waits in boefje: 2 days from 2026-03-24T09:00Z on<\/title>/);
  for (const label of ['acme, as it is', 'acme, with the change', 'globex, as it is']) expect(svg).toContain(label);
  expect(svg.match(/<polyline/g)).toHaveLength(6);
  expect(svg).not.toContain('NaN');
  const nothing = plotOf(await whatIf(snapshotOf({ queued: [], schedules: [], arrivals: [] }), null, options));
  expect(nothing).toContain('nothing waits');
  expect(nothing).not.toContain('NaN');
});

test('a quantile of waits that still go on is the least that it can be', () => {
  const [waits, none] = [new WaitTimes(), new WaitTimes()];
  for (let seconds = 1; seconds <= 1_000; seconds += 1) waits.add(seconds);
  const median = waits.quantile(0.5, none)!;
  expect(median.isLeast).toBe(false);
  expect(Math.abs(median.seconds - 500)).toBeLessThan(10);
  const still = new WaitTimes();
  for (let count = 0; count < 3_000; count += 1) still.add(5_000);
  expect(waits.quantile(0.2, still)).toEqual({ seconds: waits.quantile(0.8, none)!.seconds, isLeast: false });
  expect(waits.quantile(0.5, still)!.isLeast).toBe(true);
  expect(none.quantile(0.5, new WaitTimes())).toBeNull();
});

test('hosts with a limit each do not hold workers up', async () => {
  const tasks = queued('acme', 12_000).map((task, n) => ({ ...task, ooi: `Hostname|internet|h${n % 6_000}.example` }));
  const { queues } = await predict(snapshotOf({ queued: tasks, arrivals: [] }), {
    limit: ["per-host --scheduler boefje --key 'host:{host}' --concurrency 1"],
    workers: ['boefje 20'],
  });
  const { as_it_is: before, with_change: after } = queues[0]!;
  // The hosts are as many that no worker waits for one.
  expect(after!.worked_off_seconds).toBeLessThan(before.worked_off_seconds! / 3.5);
});

test.for<[string, Snapshot['leases']]>([
  ['that waited as the days began', []],
  [
    'that waited as the days began, beside one of the same hash that was under way',
    [
      {
        ...subject('once'),
        scheduler: 'boefje',
        madeAt: at - hour,
        claimedAt: at - hour,
        startedAt: at,
        group: null,
        manual: false,
      },
    ],
  ],
])('what falls due is not queued again while a task %s is worked on', async ([_what, leases]) => {
  const [task] = queued('acme', 1);
  const times = { ended: 10, completed: 10, quantiles: Array.from({ length: 21 }, () => 7_200) };
  const boefje: Partial<SchedulerSnapshot> = {
    queued: [{ ...task!, hash: 'once' }],
    // While the last of them is worked on.
    schedules: [
      { ...subject('once'), deadlineAt: at + (leases.length + 0.5) * 2 * hour, cron: null, intervalMs: 240 * hour },
    ],
    service: new Map([['nmap', times]]),
    serviceOfAll: times,
    arrivals: [],
    atOnce: { lately: 1, day: 1 },
  };
  const { queues } = await predict({ ...snapshotOf(boefje), leases }, {});
  expect(queues[0]!.as_it_is).toMatchObject({ now: 1, most: 1, handed_out: 1, end: 0 });
});
