import { expect, test } from 'vitest';
import { deepestNesting, jsonExcess, mostValues } from '../../src/tasks/nesting.ts';

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

test('nesting is counted where it is nesting: not in strings, not side by side', () => {
  expect(jsonExcess(nested(deepestNesting))).toBe(null);
  expect(jsonExcess(nested(deepestNesting + 1))).toBe('depth');
  expect(jsonExcess('{"a":'.repeat(deepestNesting + 1))).toBe('depth');
  expect(jsonExcess(`[${'{},'.repeat(10_000)}{}]`)).toBe(null);
  expect(jsonExcess(JSON.stringify(`"\\${nested(1_000)}`))).toBe(null);
});

test('values are counted before they are parsed, and commas in strings are none', () => {
  expect(jsonExcess(`[${'1,'.repeat(mostValues - 2)}1]`)).toBe(null);
  expect(jsonExcess(`[${'1,'.repeat(mostValues)}1]`)).toBe('values');
  expect(jsonExcess(`[${'{},'.repeat(mostValues)}{}]`)).toBe('values');
  expect(jsonExcess(JSON.stringify(','.repeat(2 * mostValues)))).toBe(null);
});
