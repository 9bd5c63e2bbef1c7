import { expect, test } from 'vitest';
import { afterFailure, defaultRestartPolicy, noFailures } from '../../src/supervisor/supervised-actor.ts';

/** What follows each of some failures, every one after a life of `livedMs`. */
function failTimes(times: number, livedMs: number, random = 1) {
  const steps: { delayMs: number; down: boolean }[] = [];
  let history = noFailures;
  let now = 0;
  for (let failure = 0; failure < times; failure++) {
    now += livedMs;
    const after = afterFailure(history, { now, livedMs }, random, defaultRestartPolicy);
    steps.push({ delayMs: after.delayMs, down: after.history.down });
    history = after.history;
    now += after.delayMs;
  }
  return steps;
}

test('delays double from failure to failure', () => {
  expect(failTimes(5, 0).map((step) => step.delayMs)).toEqual([200, 400, 800, 1_600, 3_200]);
});

test('jitter takes up to half of the delay, so that actors which failed together do not come back together', () => {
  expect(failTimes(1, 0, 0)).toEqual([{ delayMs: 100, down: false }]);
  expect(failTimes(1, 0, 0.5)).toEqual([{ delayMs: 150, down: false }]);
});

test('the sixth failure within a minute takes it down, and it is tried once a minute from then on', () => {
  expect(failTimes(8, 0).slice(4)).toEqual([
    { delayMs: 3_200, down: false },
    { delayMs: 60_000, down: true },
    { delayMs: 60_000, down: true },
    { delayMs: 60_000, down: true },
  ]);
});

test('failures further apart than the intensity counts never take it down, and start from the shortest delay', () => {
  expect(failTimes(20, 60_000).every((step) => step.delayMs === 200 && !step.down)).toBe(true);
});

test('one that is down is up again once a try has lived for a minute', () => {
  const history = { failures: [0, 1, 2, 3, 4, 5], outages: [], down: true };
  expect(afterFailure(history, { now: 119_000, livedMs: 59_000 }, 1, defaultRestartPolicy).history.down).toBe(true);
  expect(afterFailure(history, { now: 120_005, livedMs: 60_000 }, 1, defaultRestartPolicy)).toEqual({
    history: { failures: [120_005], outages: [], down: false },
    delayMs: 200,
  });
});

test('no delay exceeds its bound', () => {
  const policy = { ...defaultRestartPolicy, intensity: 100 };
  const failures = Array.from({ length: 50 }, (_, index) => index);
  expect(afterFailure({ failures, outages: [], down: false }, { now: 50, livedMs: 0 }, 1, policy).delayMs).toBe(10_000);
});

test('an outage never takes it down, however often it ends for one, and one that comes between failures counts for none', () => {
  let history = noFailures;
  const delays: number[] = [];
  for (let now = 0; now < 20_000; now += 1_000) {
    const after = afterFailure(history, { now, livedMs: 0, outage: true }, 1, defaultRestartPolicy);
    delays.push(after.delayMs);
    history = after.history;
  }
  expect(history).toMatchObject({ failures: [], down: false });
  expect(delays.at(-1)).toBe(defaultRestartPolicy.maxDelayMs);
  const after = afterFailure(history, { now: 20_000, livedMs: 0 }, 1, defaultRestartPolicy);
  expect(after.history).toMatchObject({ failures: [20_000], down: false });
});
