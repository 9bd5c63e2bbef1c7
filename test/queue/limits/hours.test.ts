import { describe, expect, test } from 'vitest';
import { type Hours, hoursFault, windowAt } from '../../../src/queue/limits/hours.ts';

const at = (text: string) => Date.parse(text);
const state = (hours: Hours, text: string) => {
  const { open, until } = windowAt(hours, at(text));
  return [open, until === null ? null : new Date(until).toISOString().slice(0, 16)];
};
const nights: Hours = { zone: 'Europe/Amsterdam', cron: '0 22 * * *', seconds: 8 * 3_600 };

describe('a cron of starts', () => {
  test('is read on the wall clock of its zone, in winter and in summer', () => {
    expect(state(nights, '2026-01-10T20:59:59Z')).toEqual([false, '2026-01-10T21:00']);
    expect(state(nights, '2026-01-10T21:00:00Z')).toEqual([true, '2026-01-11T05:00']);
    expect(state(nights, '2026-07-10T20:00:00Z')).toEqual([true, '2026-07-11T04:00']);
    expect(state(nights, '2026-07-11T04:00:00Z')).toEqual([false, '2026-07-11T20:00']);
  });

  test('lasts as long as it says, over a night in which the clock is set', () => {
    expect(state(nights, '2026-03-28T21:00:00Z')).toEqual([true, '2026-03-29T05:00']);
    expect(state(nights, '2026-10-24T20:00:00Z')).toEqual([true, '2026-10-25T04:00']);
    expect(state(nights, '2026-10-25T03:59:59Z')).toEqual([true, '2026-10-25T04:00']);
  });

  test('a start in the hour that is left out comes an hour later', () => {
    const hours: Hours = { zone: 'Europe/Amsterdam', cron: '30 2 * * *', seconds: 600 };
    expect(state(hours, '2026-03-29T00:00:00Z')).toEqual([false, '2026-03-29T01:30']);
    expect(state(hours, '2026-03-29T01:35:00Z')).toEqual([true, '2026-03-29T01:40']);
  });

  test('a start that is there twice is the first', () => {
    const hours: Hours = { zone: 'Europe/Amsterdam', cron: '30 2 * * *', seconds: 600 };
    expect(state(hours, '2026-10-25T00:30:00Z')).toEqual([true, '2026-10-25T00:40']);
    expect(state(hours, '2026-10-25T01:35:00Z')).toEqual([false, '2026-10-26T01:30']);
  });

  test('openings that overlap are one', () => {
    const hours: Hours = { zone: 'UTC', cron: '0 8,9,10 * * *', seconds: 3_600 };
    expect(state(hours, '2026-05-01T09:30:00Z')).toEqual([true, '2026-05-01T11:00']);
  });
});

test('an exclusion is closed between its times, and never again', () => {
  const hours: Hours = { zone: 'Europe/Amsterdam', from: '2026-12-24T18:00', until: '2026-12-28T08:00' };
  expect(state(hours, '2026-12-24T16:59:00Z')).toEqual([true, '2026-12-24T17:00']);
  expect(state(hours, '2026-12-24T17:00:00Z')).toEqual([false, '2026-12-28T07:00']);
  expect(state(hours, '2026-12-28T07:00:00Z')).toEqual([true, null]);
});

test.each([
  [{ zone: 'Mars/Base', cron: '0 1 * * *', seconds: 60 }, /unknown time zone/],
  [{ zone: 'UTC', cron: '0 1 31 2 *', seconds: 60 }, /never opens/],
  [{ zone: 'UTC', cron: 'at night', seconds: 60 }, /never opens/],
  [{ zone: 'UTC', from: 'soon', until: '2027-01-01T00:00' }, /wall-clock times/],
  [{ zone: 'UTC', from: '2027-01-02T00:00', until: '2027-01-01T00:00' }, /ends before/],
  [{ zone: 'UTC', from: '2025-01-01T00:00', until: '2025-01-02T00:00' }, /ended already/],
] satisfies [Hours, RegExp][])('%j makes no sense', (hours, fault) => {
  expect(hoursFault(hours, at('2026-06-01T00:00:00Z'))).toMatch(fault);
});
