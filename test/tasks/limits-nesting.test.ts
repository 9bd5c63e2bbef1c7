import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { deepestNesting, jsonExcess, mostValues } from '../../src/tasks/limits.ts';

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

test('whatever JSON says, its values and levels are those of the value', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  const json = fc.jsonValue({ depthSize: 'large', stringUnit: fc.constantFrom('"', '\\', '[', '{', ',', 'a') });
  fc.assert(
    fc.property(json, fc.integer({ min: 0, max: 4 }), (value, deepest) => {
      expect(jsonExcess(JSON.stringify(value), deepest) === 'depth').toBe(depthOf(value) > deepest);
    }),
  );
});

test('a string of backslashes, or one that does not end, is read once', () => {
  for (const text of [`"${'\\'.repeat(1_000_000)}"`, `"${'\\"'.repeat(500_000)}`, '"'.repeat(1_000_001)]) {
    const began = process.threadCpuUsage();
    expect(jsonExcess(text)).toBe(null);
    expect(process.threadCpuUsage(began).user / 1_000).toBeLessThan(500);
  }
});
