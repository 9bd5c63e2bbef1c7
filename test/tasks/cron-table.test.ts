import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cronFault, isCron, nextRun } from '../../src/tasks/cron.ts';

/** A line of cron-table.jsonl, which cron-table.py wrote by croniter 6. */
interface Row {
  readonly cron: string;
  /** For each of `starts`, the times after it, one reckoned from the other; null where there is none left. */
  readonly next?: readonly (readonly (string | null)[])[];
  readonly refused?: true;
}

const starts = ['2026-11-24T08:27:30Z', '2027-02-27T21:59:59Z', '2027-12-31T23:59:00Z', '2028-02-28T23:59:59Z'];

const rows = readFileSync(new URL('../fixtures/cron-table.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Row);
const running = rows.filter(({ next }) => next !== undefined);
const refused = rows.filter((row) => row.refused === true);

test('the table is whole', () => {
  expect(running.length).toBeGreaterThan(400);
  expect(refused.length).toBeGreaterThan(100);
});

describe('runs at the times of croniter 6', () => {
  test.each(running)('$cron', ({ cron, next }) => {
    expect(starts.map((start, index) => timesAfter(cron, start, next![index]!.length))).toEqual(next);
  });
});

describe('refuses what croniter 6 refuses', () => {
  test.each(refused)('$cron', ({ cron }) => {
    expect(isCron(cron)).toBe(false);
    expect(cronFault(cron)).toMatch(/\w/);
    expect(() => nextRun(cron, new Date(starts[0]!))).toThrow(RangeError);
  });
});

function timesAfter(cron: string, start: string, most: number): (string | null)[] {
  const times: (string | null)[] = [];
  let after = new Date(start);
  while (times.length < most && times.at(-1) !== null) {
    try {
      after = nextRun(cron, after);
      times.push(after.toISOString().replace('.000Z', 'Z'));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      times.push(null);
    }
  }
  return times;
}
