import { describe, expect, test } from 'vitest';
import { cronFault, isCron, nextRun } from '../../src/tasks/cron.ts';

/** A Tuesday. */
const after = new Date('2026-11-24T08:27:00Z');

describe('cron expressions mean what they mean to mula, in UTC', () => {
  test.each([
    ['0 0 * * *', '2026-11-25T00:00:00.000Z'],
    ['5/15 * * * *', '2026-11-24T08:35:00.000Z'],
    ['*/30 22-6 * * *', '2026-11-24T22:00:00.000Z'],
    ['0 0 * * 6-1', '2026-11-28T00:00:00.000Z'],
    ['0 0 1 11-2 *', '2026-12-01T00:00:00.000Z'],
    ['0 0 L * *', '2026-11-30T00:00:00.000Z'],
    ['0 0 * * L5', '2026-11-27T00:00:00.000Z'],
    ['0 0 * * 5#2', '2026-12-11T00:00:00.000Z'],
    ['0 0 * * 7', '2026-11-29T00:00:00.000Z'],
    ['0 0 * * sun', '2026-11-29T00:00:00.000Z'],
    ['0 0 ? * *', '2026-11-25T00:00:00.000Z'],
    ['@daily', '2026-11-25T00:00:00.000Z'],
    ['5-10/2 * * jan-mar mon-fri', '2027-01-01T00:05:00.000Z'],
    ['1,2,3 4 5 6 *', '2027-06-05T04:01:00.000Z'],
    ['0 0 13 * 5', '2026-11-27T00:00:00.000Z'],
    // Six fields: seconds are last. Seven: then the year.
    ['*/10 * * * * 30', '2026-11-24T08:30:30.000Z'],
    ['0 0 * * 0 0 2030', '2030-01-06T00:00:00.000Z'],
  ])('%s', (expression, expected) => {
    expect(nextRun(expression, after).toISOString()).toBe(expected);
    expect(cronFault(expression, after)).toBeNull();
  });
});

/** Each is a row of docs/crons.md. */
describe('where croniter errs, Rota does what the expression says', () => {
  test.each([
    // A start at the end of its field: croniter takes the whole field.
    ['59/15 * * * *', '2026-11-24T08:27:00Z', '2026-11-24T08:59:00.000Z', '2026-11-24T09:59:00.000Z'],
    ['0 23/2 * * *', '2026-11-24T08:27:00Z', '2026-11-24T23:00:00.000Z', '2026-11-25T23:00:00.000Z'],
    ['0 0 1 dec/2 *', '2026-11-24T08:27:00Z', '2026-12-01T00:00:00.000Z', '2027-12-01T00:00:00.000Z'],
    // Days that February has not: croniter leaps over the first days of March.
    ['0 0 */5 * *', '2027-02-26T00:00:00Z', '2027-03-01T00:00:00.000Z', '2027-03-06T00:00:00.000Z'],
    ['0 0 1,30 * *', '2027-02-02T00:00:00Z', '2027-03-01T00:00:00.000Z', '2027-03-30T00:00:00.000Z'],
    // L beside a day that the month has not: croniter passes the month over.
    ['0 0 31,L * *', '2027-04-01T00:00:00Z', '2027-04-30T00:00:00.000Z', '2027-05-31T00:00:00.000Z'],
    // A day of month or a ranked weekday: croniter forgets the former, or finds nothing.
    ['0 0 10 * 5#2', '2026-12-01T00:00:00Z', '2026-12-10T00:00:00.000Z', '2026-12-11T00:00:00.000Z'],
    ['0 0 1 * 5#2', '2026-12-01T00:00:00Z', '2026-12-11T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['0 0 15 * L5', '2026-12-01T00:00:00Z', '2026-12-15T00:00:00.000Z', '2026-12-25T00:00:00.000Z'],
    // A day of month that never comes, or no more, or a weekday: croniter finds nothing.
    ['0 0 31 2 1', '2026-12-01T00:00:00Z', '2027-02-01T00:00:00.000Z', '2027-02-08T00:00:00.000Z'],
    ['0 0 1 1 1 0 2030', '2030-01-01T00:00:00Z', '2030-01-07T00:00:00.000Z', '2030-01-14T00:00:00.000Z'],
    // A year that is more than fifty away.
    ['0 0 1 1 * 0 2098-2099', '2026-11-24T08:27:00Z', '2098-01-01T00:00:00.000Z', '2099-01-01T00:00:00.000Z'],
    // L makes 31 entries: croniter takes every day.
    ['0 0 1-29,31,L * *', '2026-12-29T00:00:00Z', '2026-12-31T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ])('%s after %s', (expression, start, first, second) => {
    const next = nextRun(expression, new Date(start));
    expect([next.toISOString(), nextRun(expression, next).toISOString()]).toEqual([first, second]);
  });
});

describe('what cannot run says why', () => {
  test.each([
    ['60 * * * *', "minute '60': expected 0-59"],
    ['0 22-26 * * *', "hour '22-26': expected 0-23"],
    ['0 0 1W * *', "day of month '1w': expected 1-31 or L"],
    ['0 0 * foo *', "month 'foo': expected 1-12 or jan-dec"],
    ['0 0 * * 5L', "day of week '5l': expected 0-6 or sun-sat"],
    ['0 0 * * 5#6', "day of week '5#6': expected #1 to #5"],
    ['0 0 * * 5#2,1', "day of week '5#2,1': plain days and # or L days do not mix"],
    ['* * * * * 60', "second '60': expected 0-59"],
    ['* * * * * * 1969', "year '1969': expected 1970-2099"],
    ['*/0 * * * *', "minute '*/0': a step of 0 goes nowhere"],
    ['H * * * *', "minute 'h': hashed (H) needs a hash id, and none is given"],
    ['0 H(0-7) * * *', "hour 'h(0-7)': hashed (H) needs a hash id, and none is given"],
    ['R * * * *', "minute 'r': random (R) names no time"],
    ['0 0 R/5 * *', "day of month 'r/5': random (R) names no time"],
    ['0 0 31 2 *', 'it never runs: no such day exists'],
    ['0 0 31 4,6,9,11 *', 'it never runs: no such day exists'],
    ['0 0 29 2 * 0 2027', 'it never runs: no such day exists'],
    ['0 0 * 2 5#5 0 2027', 'it never runs: no such day exists'],
    ['0 0 1 1 * 0 2025', 'it has no time left: its years are over'],
  ])('%s: %s', (expression, why) => {
    expect(cronFault(expression, after)).toBe(why);
    expect(isCron(expression, after)).toBe(false);
    expect(() => nextRun(expression, after)).toThrow(new RangeError(why));
  });

  test.each(['', '* * * *', '* * * * * * * *', '@nope', '2030-01-01', 'invalid', '\uFEFF* * * * *'])(
    'it is no cron at all: "%s"',
    (expression) => {
      expect(cronFault(expression, after)).toMatch(/^(?:it has \d fields: expected five, six|minute '\uFEFF\*')/);
    },
  );
});

describe('time ends', () => {
  test('with the last year that the expression names', () => {
    const last = '59 23 31 12 * 59 2028,2099';
    expect(nextRun(last, new Date('2028-12-31T23:59:59Z')).toISOString()).toBe('2099-12-31T23:59:59.000Z');
    expect(() => nextRun(last, new Date('2099-12-31T23:59:59Z'))).toThrow('its years are over');
    expect(isCron(last, new Date('2100-01-01T00:00:00Z'))).toBe(false);
  });

  test('and not in 2099 where it names none', () => {
    expect(nextRun('0 0 * * *', new Date('2099-12-31T12:00:00Z')).toISOString()).toBe('2100-01-01T00:00:00.000Z');
    // 2100 is no leap year.
    expect(nextRun('0 0 29 2 *', new Date('2096-03-01T00:00:00Z')).toISOString()).toBe('2104-02-29T00:00:00.000Z');
    // Fridays of February five times: 2080, and not again for 28 years, nor for 40 over 2100.
    expect(nextRun('0 0 * 2 5#5', new Date('2080-01-01T00:00:00Z')).getUTCDay()).toBe(5);
    expect(() => nextRun('* * * * *', new Date('9999-12-31T23:59:30Z'))).toThrow(RangeError);
  });

  test('where `after` is no time', () => {
    expect(() => nextRun('* * * * *', new Date(Number.NaN))).toThrow(RangeError);
  });
});

describe('a hostile expression holds nothing up', () => {
  test('one that is too long is refused unread', () => {
    const long = `${'0,'.repeat(250)}0 * * * *`;
    expect(cronFault(long, after)).toBe(`it has ${long.length} characters: expected at most 500`);
    expect(isCron(`${'0,'.repeat(245)}0 * * * *`, after)).toBe(true);
  });

  test('hundreds of different ones that seldom or never run are answered within two seconds', () => {
    const started = performance.now();
    for (let n = 0; n < 100; n++) {
      cronFault(`${n % 60} ${n % 24} 31 2,4,6,9,11 * ${n % 59} 1970-2099/${n + 1}`, after);
      cronFault(`${'0-59,'.repeat(60)}${n % 60} ${n % 24} 29 2 * ${n % 59} 1970-2099/${n + 1}`, after);
      cronFault(`${n % 60} ${n % 24} * 2 5#5 ${n % 59} 2096-2099,1970-1980`, after);
      cronFault(`*/${'9'.repeat(400)} ${n} * * *`, after);
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('what was read stays right when thousands of others were read since', () => {
    const first = nextRun('7 7 7 7 *', after);
    for (let n = 0; n < 3_000; n++) isCron(`${n % 60} ${n % 24} ${(n % 28) + 1} * *`, after);
    expect(nextRun('7 7 7 7 *', after)).toEqual(first);
  });
});

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is no nickname of a cron', (text) => {
  expect(cronFault(text)).toMatch(/^it has 1 fields/);
  expect(isCron(text)).toBe(false);
});
