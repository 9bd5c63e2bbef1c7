import { expect, test } from 'vitest';
import { deepestNesting, nestsTooDeep } from '../../src/tasks/nesting.ts';

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

test('nesting is counted where it is nesting: not in strings, not side by side', () => {
  expect(nestsTooDeep(nested(deepestNesting))).toBe(false);
  expect(nestsTooDeep(nested(deepestNesting + 1))).toBe(true);
  expect(nestsTooDeep('{"a":'.repeat(deepestNesting + 1))).toBe(true);
  expect(nestsTooDeep(`[${'{},'.repeat(10_000)}{}]`)).toBe(false);
  expect(nestsTooDeep(JSON.stringify(`"\\${nested(1_000)}`))).toBe(false);
});
