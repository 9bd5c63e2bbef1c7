import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Filter, filterFault, filterKey, type FilterRequest } from '../../../src/queue/filter/filter.ts';
import { compileFilter } from '../../../src/queue/filter/compile.ts';

const onTasks = (...filters: Filter[]) => compileFilter({ filters }, { target: 'tasks', firstParameter: 1 });
const onQueue = (filters: FilterRequest['filters'], taskType: string = 'boefje') =>
  compileFilter({ filters }, { target: 'queue', firstParameter: 4, taskType });

const image = (...value: string[]): Filter => ({ column: 'data', field: 'boefje__oci_image', operator: 'in', value });

describe('a filter of a runner', () => {
  test('reads the queue and its indexed columns alone', () => {
    expect(onQueue([image('a')])).toEqual({
      text: '(q.image = $4::text)',
      values: ['a'],
      indexed: true,
      onlyImages: true,
      images: ['a'],
    });
    expect(onQueue([{ column: 'organisation', operator: '==', value: 'aa' }]).text).toBe('(q.organisation = $4::text)');
    expect(onQueue([{ column: 'data', field: 'normalizer__id', operator: 'eq', value: 'n' }], 'normalizer').text).toBe(
      '(q.plugin = $4::text)',
    );
  });

  test('with several values of one column offers them for merging', () => {
    expect(onQueue([image('a', 'b', 'a')])).toEqual({
      text: '(q.image = ANY ($4::text[]))',
      values: [['a', 'b', 'a']],
      indexed: true,
      onlyImages: true,
      images: ['a', 'b', 'a'],
      merge: { column: 'image', values: ['a', 'b'] },
    });
  });

  test('is of images alone where no condition asks for anything else', () => {
    const plugin: Filter = { column: 'data', field: 'boefje__id', operator: 'eq', value: 'dns' };
    expect(onQueue([image('a'), image('b', 'c')]).onlyImages).toBe(true);
    expect(onQueue([image('a'), plugin]).onlyImages).toBe(false);
    expect(onQueue([{ column: 'priority', operator: 'gt', value: 5 }]).onlyImages).toBe(false);
    expect(onQueue({ or: [image('a'), image('b')] }).onlyImages).toBe(false);
    expect(onQueue({ not: [image('a')] }).onlyImages).toBe(false);
  });

  test('asks for the images that it names, and for every image where it rules none out', () => {
    const plugin: Filter = { column: 'data', field: 'boefje__id', operator: 'eq', value: 'dns' };
    expect(onQueue([plugin, image('b', 'c')]).images).toEqual(['b', 'c']);
    for (const open of [[plugin], { or: [image('a'), plugin] }, { not: [image('a')] }])
      expect(onQueue(open).images).toBeNull();
  });

  test('with several values of two columns merges the shorter list', () => {
    const plugins: Filter = { column: 'data', field: 'boefje__id', operator: 'in', value: ['x', 'y', 'z'] };
    expect(onQueue([plugins, image('a', 'b')]).merge).toEqual({ column: 'image', values: ['a', 'b'] });
  });

  test('is not merged where other tasks match too', () => {
    const alternative: Filter = { column: 'priority', operator: '==', value: 1 };
    expect(onQueue({ or: [image('a', 'b'), alternative] }).merge).toBeUndefined();
    expect(onQueue({ not: [image('a', 'b')] }).merge).toBeUndefined();
    expect(onQueue({ or: [image('a', 'b')] }).merge?.values).toEqual(['a', 'b']);
  });

  test('is served by an index only where all of it is, and asks for few values', () => {
    const organisation: Filter = { column: 'organisation', operator: '==', value: 'aa' };
    const many = image(...Array.from({ length: 65 }, (_, at) => `${at}`));
    expect(onQueue([image('a', 'b'), organisation])).toMatchObject({ indexed: true });
    expect(onQueue({ or: [image('a', 'b')] })).toMatchObject({ indexed: true });
    const searches: FilterRequest['filters'][] = [
      [],
      { or: [image('a'), organisation] },
      { not: [organisation] },
      [organisation, { column: 'priority', operator: '>', value: 1 }],
      [{ column: 'organisation', operator: 'ilike', value: 'aa' }],
      [{ column: 'data', field: 'input_ooi', operator: '==', value: 'x' }],
      [many],
    ];
    for (const filters of searches) expect(onQueue(filters)).toMatchObject({ indexed: false });
  });

  test('about a boefje does not mistake the plugin of a normalizer for it', () => {
    const { text } = onQueue([{ column: 'data', field: 'boefje__id', operator: 'eq', value: 'dns' }], 'normalizer');
    expect(text).not.toContain('q.plugin');
    expect(text).toContain('FROM tasks t WHERE t.id = q.id');
  });
});

describe('a filter is refused, naming column and operator, for', () => {
  const refusals: [string, Filter][] = [
    ['an unknown column', { column: 'nope', operator: '==', value: 1 }],
    ['a name that every object has', { column: 'constructor', operator: '==', value: 1 }],
    ['a field of a plain column', { column: 'organisation', field: 'x', operator: '==', value: 'a' }],
    ['an unknown attribute of a relationship', { column: 'schedule', field: 'nope', operator: '==', value: 'a' }],
    ['a relationship of a relationship', { column: 'schedule', field: 'tasks__id', operator: '==', value: 'a' }],
    ['a number where text is', { column: 'organisation', operator: '==', value: 5 }],
    ['text where a number is', { column: 'priority', operator: '>', value: 'five' }],
    ['a fraction in text where whole numbers are', { column: 'priority', operator: '>', value: '5.5' }],
    ['no text where a number is', { column: 'priority', operator: 'eq', value: '' }],
    ['true where a number is', { column: 'priority', operator: 'eq', value: true }],
    ['text among numbers in text', { column: 'priority', operator: 'in', value: ['5', 'x'] }],
    ['a number where true or false is', { column: 'schedule', field: 'enabled', operator: 'eq', value: 1 }],
    ['text where true or false is', { column: 'schedule', field: 'enabled', operator: 'eq', value: 'o' }],
    ['half a brace around a uuid', { column: 'id', operator: 'eq', value: '{7f000000000040008000000000000001' }],
    ['a number where a time is', { column: 'created_at', operator: 'gt', value: 1_746_093_600 }],
    ['what is no uuid', { column: 'id', operator: '==', value: 'x' }],
    ['a status that does not exist', { column: 'status', operator: '==', value: 'done' }],
    ['a day that does not exist', { column: 'created_at', operator: '>=', value: '2025-02-30' }],
    ['an hour that does not exist', { column: 'created_at', operator: '>=', value: '2025-02-03T25:00:00Z' }],
    ['LIKE on a moment', { column: 'created_at', operator: 'like', value: '2025%' }],
    ['an order with null', { column: 'priority', operator: '>', value: null }],
    ['`in` without a list', { column: 'organisation', operator: 'in', value: 'aa' }],
    ['a list of mixed types', { column: 'data', field: 'level', operator: 'in', value: [1, 'a'] }],
    ['an object', { column: 'data', field: 'level', operator: '==', value: { a: 1 } }],
    ['a character that Postgres cannot store', { column: 'organisation', operator: '==', value: 'a\0' }],
    ['half a surrogate pair in JSON', { column: 'data', operator: '@>', value: String.raw`{"a":"\ud800"}` }],
  ];

  test.each(refusals)('%s', (_what, filter) => {
    expect(() => onTasks(filter)).toThrow(
      expect.objectContaining({
        code: 'INVALID_FILTER',
        fields: expect.objectContaining({ column: filter.column, operator: filter.operator }),
      }),
    );
  });
});

test('nothing that a client sends becomes part of the statement', () => {
  const needle = fc.string({ minLength: 3 }).map((text) => `zq'"${text}`);
  fc.assert(
    fc.property(needle, fc.constantFrom('==', 'like', 'contains', '@>', 'match', 'any', '@?'), (text, operator) => {
      const compiled = onTasks({
        column: 'data',
        field: `${text}__b`,
        operator,
        value: text.replaceAll('\0', ''),
      });
      expect(compiled.text).not.toContain('zq');
    }),
  );
});

test('moments without a zone are UTC, and microseconds are kept', () => {
  const moment = (value: string) => onTasks({ column: 'created_at', operator: '>=', value }).values[0];
  expect(moment('2025-05-27')).toBe('2025-05-27T00:00:00.000000Z');
  expect(moment('2025-05-27T09:00:15.129953+02:00')).toBe('2025-05-27T07:00:15.129953Z');
  expect(moment('2025-05-27 09:00')).toBe('2025-05-27T09:00:00.000000Z');
});

describe('filters that mean the same share a key', () => {
  test('whatever the order of their keys and whether a list or `and`', () => {
    const filter: Filter = { column: 'data', field: 'boefje__id', operator: 'in', value: ['a'] };
    const turned = { value: ['a'], operator: 'in', field: 'boefje__id', column: 'data' } as Filter;
    expect(filterKey({ filters: [filter] })).toBe(filterKey({ filters: { and: [turned], or: [] } }));
  });

  test('and others do not', () => {
    const filter: Filter = { column: 'organisation', operator: '==', value: '1' };
    expect(filterKey({ filters: { and: [filter] } })).not.toBe(filterKey({ filters: { not: [filter] } }));
    expect(filterKey({ filters: [image('a', 'b')] })).not.toBe(filterKey({ filters: [image('a,b')] }));
  });
});

test('the key of a long filter is short, and as different as the filters are', () => {
  const images = Array.from({ length: 10_000 }, (_, at) => `image-${at}`);
  const keys = [image(...images), image(...images.slice(1))].map((filter) => filterKey({ filters: [filter] }));
  expect(new Set(keys).size).toBe(2);
  expect(Math.max(...keys.map(({ length }) => length))).toBeLessThan(201);
});

test('an error of the database is the fault of a filter only where its value is to blame', () => {
  expect(filterFault({ code: '42601', message: 'syntax error at end of jsonpath input' })).toMatchObject({
    code: 'INVALID_FILTER',
  });
  const ours = { code: '42601', message: 'syntax error at or near "WHERE"', position: '8' };
  expect(filterFault(ours)).toBe(ours);
});
