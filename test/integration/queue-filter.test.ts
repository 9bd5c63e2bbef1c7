import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Filter, filterOperators, type FilterRequest } from '../../src/queue/filter/filter.ts';
import type { FilterTarget } from '../../src/queue/filter/columns.ts';
import { daily, ids, matching as matchingIn, storeFilterRows, unused } from '../support/filter-rows.ts';
import { createStore, type Store } from '../support/schema.ts';

let store: Store;

beforeAll(async () => {
  store = await createStore();
  await storeFilterRows(store.sql);
});
afterAll(() => store.drop());

const matching = (target: FilterTarget, filters: FilterRequest['filters'], taskType?: string) =>
  matchingIn(store.sql, target, filters, taskType);

type TaskName = keyof typeof ids;
const names = (found: readonly string[]) =>
  (Object.keys(ids) as TaskName[]).filter((name) => found.includes(ids[name]));

const data = (field: string, operator: Filter['operator'], value?: unknown): Filter => ({
  column: 'data',
  field,
  operator,
  value,
});
const column = (name: string, operator: Filter['operator'], value?: unknown): Filter => ({
  column: name,
  operator,
  value,
});

describe('on tasks', () => {
  const cases: [string, Filter, TaskName[]][] = [
    ['== text', column('organisation', '==', 'aa'), ['dns', 'parse']],
    ['eq status in lower case', column('status', 'eq', 'queued'), ['nmap', 'parse']],
    ['eq status as the database spells it', column('status', 'eq', 'QUEUED'), ['nmap', 'parse']],
    ['!= ', column('organisation', '!=', 'aa'), ['nmap', 'report']],
    ['ne number', column('priority', 'ne', 5), ['nmap', 'parse', 'report']],
    ['is null', column('hash', 'is', null), ['report']],
    ['is a value', column('organisation', 'is', 'bb'), ['nmap']],
    ['is_not null', column('schedule_id', 'is_not', null), ['dns']],
    ['is_not a value, where null is one', column('hash', 'is_not', 'h-dns'), ['nmap', 'parse', 'report']],
    ['is_null', column('hash', 'is_null'), ['report']],
    ['is_not_null', column('hash', 'is_not_null'), ['dns', 'nmap', 'parse']],
    ['eq null', column('hash', 'eq', null), ['report']],
    ['>', column('priority', '>', 7), ['parse']],
    ['gt a fraction', column('priority', 'gt', 6.5), ['nmap', 'parse']],
    ['<', column('priority', '<', 5), ['report']],
    ['lt', column('created_at', 'lt', '2025-05-01T10:00:00.000002Z'), ['dns']],
    ['>=', column('created_at', '>=', '2025-05-03'), ['parse', 'report']],
    ['gte', column('priority', 'gte', 7), ['nmap', 'parse']],
    ['<=', column('priority', '<=', 5), ['dns', 'report']],
    ['lte another zone', column('created_at', 'lte', '2025-05-02T12:00:00+02:00'), ['dns', 'nmap']],
    ['like', column('organisation', 'like', 'a_'), ['dns', 'parse', 'report']],
    ['not_like', column('organisation', 'not_like', 'a%'), ['nmap']],
    ['ilike', column('organisation', 'ilike', 'B%'), ['nmap']],
    ['not_ilike', column('organisation', 'not_ilike', 'A%'), ['nmap']],
    ['in', column('organisation', 'in', ['bb', 'a_']), ['nmap', 'report']],
    ['in uuids', column('id', 'in', [ids.dns, ids.report]), ['dns', 'report']],
    ['in nothing', column('organisation', 'in', []), []],
    ['not_in', column('status', 'not_in', ['queued', 'completed']), ['report']],
    ['not_in nothing', column('priority', 'not_in', []), ['dns', 'nmap', 'parse', 'report']],
    ['contains', column('hash', 'contains', 'ma'), ['nmap']],
    ['any', column('organisation', 'any', ['bb']), ['nmap']],
    ['match', data('text', 'match', 'fox'), ['dns']],
    ['starts_with, where _ is any character', column('organisation', 'starts_with', '_a'), ['dns', 'parse']],
    ['@> on JSON', column('data', '@>', '{"tags":["x"]}'), ['dns']],
    ['@> a list', data('tags', '@>', ['y']), ['dns', 'nmap']],
    ['<@', data('tags', '<@', '["y","z"]'), ['nmap']],
    ['@? a jsonpath', column('data', '@?', '$.raw_data.mime_types[*] ? (@.value starts with "boefje/")'), ['parse']],
    ['@@ a jsonpath predicate', column('data', '@@', '$.level > 5'), ['nmap']],
    ['@@ text', data('text', '@@', 'quick'), ['dns']],
    ['JSON text', data('input_ooi', '==', 'Hostname|internet|a.nl'), ['dns']],
    ['JSON text in', data('boefje__id', 'in', ['dns', 'nmap']), ['dns', 'nmap']],
    ['JSON text that looks like a number', data('level', '==', '3'), ['dns', 'report']],
    ['a JSON number, never text that looks like it', data('level', '==', 3), ['dns']],
    ['JSON numbers by size', data('level', '>', 5), ['nmap']],
    ['JSON numbers in', data('level', 'in', [3, 10]), ['dns', 'nmap']],
    ['a JSON boolean', data('flag', '==', true), ['dns']],
    ['a JSON boolean is', data('flag', 'is', false), ['nmap']],
    ['JSON booleans in', data('flag', 'in', [true, false]), ['dns', 'nmap']],
    ['JSON is_null, absent or null', data('flag', 'is_null'), ['report']],
    ['JSON is_not_null', data('note', 'is_not_null'), []],
    ['JSON contains text', data('input_ooi', 'contains', 'internet'), ['dns', 'nmap']],
    ['JSON contains JSON', data('boefje', 'contains', '{"id":"dns"}'), ['dns']],
    ['JSON equals JSON', data('tags', 'eq', '["y"]'), ['nmap']],
    ['JSON differs from JSON', data('tags', 'ne', '["y"]'), ['dns']],
    ['JSON any', data('tags', 'any', 'x'), ['dns']],
    ['JSON any of several', data('tags', 'any', ['x', 'z']), ['dns']],
    ['an element of a JSON array', data('raw_data__mime_types__0__value', 'starts_with', 'boefje'), ['parse']],
    ['an attribute of the schedule', { column: 'schedule', field: 'enabled', operator: '==', value: true }, ['dns']],
    [
      'a field that repeats the column',
      { column: 'organisation', field: 'organisation', operator: 'eq', value: 'bb' },
      ['nmap'],
    ],
  ];

  test.each(cases)('%s', async (_name, filter, expected) => {
    expect(names(await matching('tasks', [filter]))).toEqual(expected);
  });

  test('lessons 1: every filter operator is among the cases above, is_null, any and booleans in JSON included', () => {
    expect(new Set(cases.map(([, filter]) => filter.operator))).toEqual(new Set(filterOperators));
  });

  test('groups are ANDed: all of `and`, one of `or`, none of `not`', async () => {
    const found = await matching('tasks', {
      and: [column('priority', '>=', 1)],
      or: [column('organisation', '==', 'aa'), column('organisation', '==', 'bb')],
      not: [data('level', '==', 3), column('type', '==', 'normalizer')],
    });
    // A task whose level is no number neither has level 3 nor has not: SQL's null, as in mula.
    expect(names(found)).toEqual(['nmap']);
  });

  test('no filters match everything', async () => {
    expect(names(await matching('tasks', []))).toHaveLength(4);
    expect(names(await matching('tasks', { or: [] }))).toHaveLength(4);
  });
});

/** What Postgres answers to mula, whose driver binds a string as a literal of no type. */
describe('a string is read as the column’s type', () => {
  const enabled = (operator: Filter['operator'], value: unknown): Filter => ({
    column: 'schedule',
    field: 'enabled',
    operator,
    value,
  });
  const [a, b] = [ids.dns.slice(0, 18), ids.dns.slice(18)];
  const cases: [string, Filter, TaskName[]][] = [
    ['a number', column('priority', 'eq', '5'), ['dns']],
    ['a number between spaces', column('priority', '==', ' +05 '), ['dns']],
    ['another number', column('priority', 'ne', '5'), ['nmap', 'parse', 'report']],
    ['less', column('priority', 'lt', '7'), ['dns', 'report']],
    ['more, by size and not by letters', column('priority', '>', '-10'), ['dns', 'nmap', 'parse', 'report']],
    ['one of numbers', column('priority', 'in', ['5', '7']), ['dns', 'nmap']],
    ['none of numbers', column('priority', 'not_in', ['5', '7']), ['parse', 'report']],
    ['true', enabled('eq', 'true'), ['dns']],
    ['true in short', enabled('==', ' T '), ['dns']],
    ['on', enabled('in', ['on']), ['dns']],
    ['false', enabled('ne', '0'), ['dns']],
    ['off', enabled('eq', 'off'), []],
    ['a date without hyphens', column('created_at', 'gte', '20250502'), ['nmap', 'parse', 'report']],
    ['a time without colons', column('created_at', 'lte', '20250502T100000Z'), ['dns', 'nmap']],
    ['a time zone by name', column('created_at', 'lte', '2025-5-2 10:00:00 UTC'), ['dns', 'nmap']],
    ['midnight at the end of the day', column('created_at', 'lt', '2025-05-01T24:00:00'), ['dns']],
    ['today', column('created_at', 'lt', 'today'), ['dns', 'nmap', 'parse', 'report']],
    ['infinity', column('created_at', 'gt', '-infinity'), ['dns', 'nmap', 'parse', 'report']],
    ['a uuid in braces', column('id', 'eq', `{${ids.dns.toUpperCase()}}`), ['dns']],
    ['a uuid without hyphens', column('id', 'in', [ids.dns.replaceAll('-', '')]), ['dns']],
    ['a uuid with more hyphens', column('id', 'eq', `${a.slice(0, 4)}-${a.slice(4)}${b}`), ['dns']],
    [
      'text as text in JSON, whose text a number and a boolean have',
      data('level', 'in', ['3', '10']),
      ['dns', 'nmap', 'report'],
    ],
    ['a boolean as text in JSON', data('flag', 'eq', 'true'), ['dns']],
  ];
  test.each(cases)('%s', async (_name, filter, expected) => {
    expect(names(await matching('tasks', [filter]))).toEqual(expected);
  });

  test('on schedules and on the queue too', async () => {
    expect(await matching('schedules', [column('enabled', 'eq', 'false')])).toEqual([unused]);
    expect(names(await matching('queue', [column('priority', '<', '8')], 'boefje'))).toEqual(['nmap']);
  });
});

test('schedules are found by their own columns and by those of their tasks', async () => {
  expect(await matching('schedules', [column('enabled', '==', false)])).toEqual([unused]);
  expect(await matching('schedules', [data('a', '@>', [1])])).toEqual([unused]);
  expect(
    await matching('schedules', [{ column: 'tasks', field: 'status', operator: 'eq', value: 'completed' }]),
  ).toEqual([daily]);
  expect(
    await matching('schedules', [{ column: 'tasks', field: 'data__boefje__id', operator: 'eq', value: 'nmap' }]),
  ).toEqual([]);
});

describe('on the queue', () => {
  const cases: [string, Filter, TaskName[]][] = [
    ['an image', data('boefje__oci_image', 'in', ['img:2', 'img:3']), ['nmap']],
    ['a boefje is never a normalizer of the same id', data('boefje__id', '==', 'dns'), []],
    ['what only the task has', data('level', '==', 10), ['nmap']],
    ['a column of the task', column('type', '==', 'normalizer'), ['parse']],
    ['status', column('status', 'in', ['queued']), ['nmap', 'parse']],
    ['priority', column('priority', '<', 8), ['nmap']],
    ['the schedule', { column: 'schedule', field: 'enabled', operator: '==', value: true }, []],
  ];

  test.each(cases)('%s', async (_name, filter, expected) => {
    const scheduler = filter.field === 'boefje__id' ? 'normalizer' : 'boefje';
    expect(names(await matching('queue', [filter], scheduler))).toEqual(expected);
  });
});

test('an injection is a value like any other', async () => {
  const nasty = `'; DROP TABLE tasks; --`;
  expect(await matching('tasks', [column('organisation', '==', nasty), data(nasty, 'contains', nasty)])).toEqual([]);
  expect(await matching('tasks', [data(`${nasty}__x`, 'in', [nasty]), column('hash', 'like', nasty)])).toEqual([]);
  await expect(matching('tasks', [column(nasty, '==', 1)])).rejects.toMatchObject({ code: 'INVALID_FILTER' });
  expect(await matching('tasks', [])).toHaveLength(4);
});
