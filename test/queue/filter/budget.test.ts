import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { excessOf, filterBudget } from '../../../src/queue/filter/filter.ts';
import { compileFilter } from '../../../src/queue/filter/compile.ts';

const condition = { column: 'organisation', operator: '==', value: 'aa' } as const;
const of = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

test('what is just within the budget is let through, and one more of anything is not', () => {
  const bounds: [string, (count: number) => unknown, number][] = [
    ['conditions of a list', (count) => of(count, condition), filterBudget.conditions],
    [
      'conditions of all groups',
      (count) => ({ and: of(count - 60, condition), or: of(30, condition), not: of(30, condition) }),
      filterBudget.conditions,
    ],
    ['things that are no conditions', (count) => of(count, {}), filterBudget.conditions],
    ['values of a list', (count) => [{ ...condition, operator: 'in', value: of(count, 'a') }], filterBudget.values],
    [
      'values of all lists',
      (count) => of(2, { ...condition, operator: 'in', value: of(Math.ceil(count / 2), 'a') }),
      filterBudget.values,
    ],
    ['levels of a value', (count) => [{ ...condition, value: nested(count) }], filterBudget.depth],
    [
      'levels of JSON in a text',
      (count) => [{ ...condition, operator: '@>', value: JSON.stringify(nested(count)) }],
      filterBudget.depth,
    ],
    ['a column', (count) => [{ ...condition, column: 'x'.repeat(count) }], filterBudget.nameLength],
    ['a field', (count) => [{ ...condition, field: 'x'.repeat(count) }], filterBudget.nameLength],
    ['an operator', (count) => [{ ...condition, operator: 'x'.repeat(count) }], filterBudget.nameLength],
    [
      'a pattern',
      (count) => [{ ...condition, operator: 'ilike', value: '%'.repeat(count) }],
      filterBudget.patternLength,
    ],
    ['a text', (count) => [{ ...condition, value: '%'.repeat(count) }], filterBudget.textLength],
    [
      'a text in a list',
      (count) => [{ ...condition, operator: 'in', value: ['a', 'x'.repeat(count)] }],
      filterBudget.textLength,
    ],
  ];
  for (const [what, make, most] of bounds) {
    expect(excessOf(make(most)), what).toBeNull();
    expect(excessOf(make(most + 1)), what).toMatchObject({
      message: expect.stringMatching(/^(?:at|nests at) most \d/),
    });
  }
});

test('what is beyond the budget is named by its place', () => {
  const filters = { or: [condition, { ...condition, value: 'x'.repeat(10_001) }] };
  expect(excessOf(filters)).toEqual({ path: ['or', 1, 'value'], message: 'at most 10000 characters' });
  expect(() => compileFilter({ filters }, { target: 'tasks', firstParameter: 1 })).toThrowError(
    expect.objectContaining({ code: 'INVALID_FILTER', message: 'filters.or.1.value: at most 10000 characters' }),
  );
});

test('whatever is in the place of a filter is checked in time, and reported in few words', () => {
  const anything = fc.jsonValue({ maxDepth: 8 });
  fc.assert(
    fc.property(fc.oneof(anything, fc.array(anything), fc.dictionary(fc.string(), fc.array(anything))), (filters) => {
      expect(JSON.stringify(excessOf(filters)).length).toBeLessThan(500);
    }),
  );
  const heavy: unknown[] = [
    of(200_000, {}),
    of(100, { value: of(100_000, 0) }),
    [{ value: nested(5_000) }],
    Object.fromEntries(of(100_000, 0).map((_, at) => [`${at}`, [{}]])),
    [{ value: '['.repeat(1_000_000) }],
  ];
  const started = performance.now();
  for (const filters of heavy) expect(excessOf(filters)).not.toBeNull();
  expect(performance.now() - started).toBeLessThan(1_000);
});
