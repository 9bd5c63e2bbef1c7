import { expect, test } from 'vitest';
import { moment } from '../../src/cli/format.ts';

test.each([
  ['2026-03-02T12:00:00.000000Z', '2026-03-02 12:00:00 UTC'],
  ['2026-03-02T14:00:00.5+02:00', '2026-03-02 12:00:00 UTC'],
  [null, '-'],
])('a time for people says its zone: %s is %s', (given, shown) => {
  expect(moment(given)).toBe(shown);
});
