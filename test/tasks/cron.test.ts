import { describe, expect, test } from 'vitest';
import { isCron, nextRun } from '../../src/tasks/cron.ts';

const after = new Date('2026-11-24T08:27:00Z');

describe('cron expressions mean what they mean to mula, in UTC', () => {
  test.each([
    ['0 0 * * *', '2026-11-25T00:00:00.000Z'],
    ['5/15 * * * *', '2026-11-24T08:35:00.000Z'],
    ['0 0 L * *', '2026-11-30T00:00:00.000Z'],
    ['0 0 * * 5#2', '2026-12-11T00:00:00.000Z'],
    ['0 0 * * 7', '2026-11-29T00:00:00.000Z'],
    ['0 0 * * sun', '2026-11-29T00:00:00.000Z'],
    ['0 0 ? * *', '2026-11-25T00:00:00.000Z'],
    ['@daily', '2026-11-25T00:00:00.000Z'],
    ['5-10/2 * * jan-mar mon-fri', '2027-01-01T00:05:00.000Z'],
    ['1,2,3 4 5 6 *', '2027-06-05T04:01:00.000Z'],
    // Six fields: seconds stand last.
    ['*/10 * * * * 30', '2026-11-24T08:30:30.000Z'],
  ])('%s', (expression, expected) => {
    expect(nextRun(expression, after).toISOString()).toBe(expected);
  });

  test.each([
    '0 0 31 2 *',
    '60 * * * *',
    '* * * *',
    'H * * * *',
    '2030-01-01',
    '2030-01-01T00:00:00',
    '',
    '@nope',
    'invalid',
  ])('refused: "%s"', (expression) => {
    expect(isCron(expression)).toBe(false);
    expect(() => nextRun(expression, after)).toThrow();
  });
});
