import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { faultPosition } from '../../src/rest/request.ts';
import { decimal, flag, integer, timestamp, uuid } from '../../src/rest/fields.ts';

const valueOf = (reading: { ok: boolean }) => (reading as { value?: unknown }).value;

test.each([
  ['7', 7],
  [' 7 ', 7],
  ['+7', 7],
  ['1_000', 1_000],
  ['7.0', 7],
  [7, 7],
  [true, 1],
])('%j is an integer', (given, expected) => {
  expect(valueOf(integer(given))).toBe(expected);
});

test.each<[unknown, number]>([
  ['2.5', 2.5],
  [' -1_000.5 ', -1_000.5],
  ['1e3', 1_000],
  [7, 7],
])('%j is a number', (given, expected) => {
  expect(valueOf(decimal(given))).toBe(expected);
});

test.each(['', ' ', '0x10', '0b1', '1__0', 'five'])('%j is no number', (given) => {
  expect(decimal(given).ok).toBe(false);
});

test.each(['on', 'T', 'yes', 1, true])('%j is true', (given) => {
  expect(valueOf(flag(given))).toBe(true);
});

test.each([
  ['2025-05-27', '2025-05-27T00:00:00.000000Z'],
  ['2025-05-27T09:00', '2025-05-27T09:00:00.000000Z'],
  ['2025-05-27 09:00:15.129953', '2025-05-27T09:00:15.129953Z'],
  ['2025-05-27T09:00:15+02:00', '2025-05-27T07:00:15.000000Z'],
  ['1748336415', '2025-05-27T09:00:15.000000Z'],
  [1_748_336_415_500, '2025-05-27T09:00:15.500000Z'],
])('%j is a moment, UTC where no zone is given', (given, expected) => {
  expect(valueOf(timestamp(given))).toBe(expected);
});

test.each(['2025-02-30', '2025-05-27T24:00', '2025-05-27T09:00:15+25:00', '', 'now'])('%j is no moment', (given) => {
  expect(timestamp(given).ok).toBe(false);
});

test('a UUID is the same with or without dashes, in any case, braces and prefix', () => {
  const plain = '0e191e18-bc77-405f-8887-80f510304021';
  for (const form of [plain, plain.toUpperCase(), plain.replaceAll('-', ''), `{${plain}}`, `urn:uuid:${plain}`]) {
    expect(valueOf(uuid(form))).toBe(plain);
  }
});

test.each([
  'abc',
  'a-b',
  '0000000-0000-0000-0000-000000000000',
  '{0e191e18-bc77-405f-8887-80f510304021',
  'urn:uuid:{0e191e18-bc77-405f-8887-80f510304021}',
  '0e191e18-bc77-405f-8887-80f51030402x',
])('%j is no UUID', (given) => {
  expect(uuid(given).ok).toBe(false);
});

test('wherever JSON.parse refuses a text a fault is found within it', () => {
  const broken = fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 })).map(([json, at, noise]) => {
    const position = at % (json.length + 1);
    return json.slice(0, position) + noise + json.slice(position + 1);
  });
  fc.assert(
    fc.property(broken, (text) => {
      try {
        JSON.parse(text);
      } catch {
        const position = faultPosition(text);
        expect(position).toBeGreaterThanOrEqual(0);
        expect(position).toBeLessThanOrEqual(text.length);
      }
    }),
  );
});
