import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve, type Served } from './double.ts';

let served: Served;

beforeAll(async () => {
  served = await serve();
});
afterAll(() => served.server.close());

interface Detail {
  type: string;
  loc: (string | number)[];
  msg: string;
  input: unknown;
  ctx?: unknown;
}

async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; detail: Detail[] }> {
  const response = await fetch(served.url + path, init);
  const body = (await response.json()) as { detail: Detail[] };
  return { status: response.status, detail: body.detail };
}

const faultsOf = ({ detail }: { detail: Detail[] }) => detail.map(({ type, loc }) => [type, ...loc]);

const post = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('a request that does not validate is a 422 in the words of FastAPI', () => {
  test('faults of path, query and body are in one list', async () => {
    const answer = await ask('/tasks/x', { ...post({ status: 'nope', priority: 'high' }), method: 'PATCH' });
    expect(answer.status).toBe(422);
    expect(faultsOf(answer)).toEqual([
      ['uuid_parsing', 'path', 'task_id'],
      ['int_parsing', 'body', 'priority'],
      ['enum', 'body', 'status'],
    ]);
  });

  test('a missing key shows the object it is missing from; unknown keys come last', async () => {
    const answer = await ask('/schedulers/boefje/push', post({ priority: 1, extra: 2 }));
    expect(answer.detail).toEqual([
      { type: 'missing', loc: ['body', 'organisation'], msg: 'Field required', input: { priority: 1, extra: 2 } },
      { type: 'missing', loc: ['body', 'data'], msg: 'Field required', input: { priority: 1, extra: 2 } },
      { type: 'extra_forbidden', loc: ['body', 'extra'], msg: 'Extra inputs are not permitted', input: 2 },
    ]);
  });

  test.each([
    ['{"a": 1,}', 7],
    ['[1 2]', 3],
    ['[1 ,]', 3],
    ['{"a" 1}', 5],
    ['{a: 1}', 1],
    ['"abc', 0],
    [String.raw`["a\x"]`, 3],
    [String.raw`["a\u12"]`, 4],
    ['["a\tb"]', 3],
    ['{"ü": "😀", }', 9],
    ['{} {}', 3],
    ['nul', 0],
  ])('JSON that does not parse is refused with the position: %s', async (text, position) => {
    const { detail } = await ask('/schedules', post(text));
    expect(detail).toEqual([
      {
        type: 'json_invalid',
        loc: ['body', position],
        msg: 'JSON decode error',
        input: {},
        ctx: { error: 'expected JSON' },
      },
    ]);
  });

  test('a UUID that is none is refused by its place', async () => {
    const { detail } = await ask('/schedules/abc');
    expect(detail).toEqual([
      {
        type: 'uuid_parsing',
        loc: ['path', 'schedule_id'],
        msg: 'Input should be a valid UUID',
        input: 'abc',
        ctx: { error: 'expected a UUID' },
      },
    ]);
  });

  test.each([
    ['limit=ten', 'int_parsing', 'limit'],
    ['limit=1.5', 'int_parsing', 'limit'],
    ['min_created_at=yesterday', 'datetime_from_date_parsing', 'min_created_at'],
    ['max_created_at=2025-13-01', 'datetime_from_date_parsing', 'max_created_at'],
    ['allow_partial_count=maybe', 'bool_parsing', 'allow_partial_count'],
    ['status=done', 'enum', 'status'],
  ])('a query parameter of the wrong type is named: %s', async (query, type, name) => {
    expect(faultsOf(await ask(`/tasks?${query}`))).toEqual([[type, 'query', name]]);
  });

  test('a wait beyond 25 seconds is refused, not cut short', async () => {
    expect(faultsOf(await ask('/schedulers/boefje/pop?wait=26', { method: 'POST' }))).toEqual([
      ['less_than_equal', 'query', 'wait'],
    ]);
  });
});

describe('filters', () => {
  const list = ['body', 'filters', 'list[Filter]'];
  const groups = ['body', 'filters', 'dict[str,list[Filter]]'];

  test('each way to read them says why it does not fit', async () => {
    const answer = await ask('/tasks', post({ filters: [{ column: 'organisation', operator: 'equals', value: 'a' }] }));
    expect(faultsOf(answer)).toEqual([
      ['literal_error', ...list, 0, 'operator'],
      ['dict_type', ...groups],
    ]);
  });

  test('a list value has members of one kind', async () => {
    const answer = await ask(
      '/tasks',
      post({ filters: { and: [{ column: 'data', operator: 'in', value: ['a', null] }] } }),
    );
    expect(answer.status).toBe(422);
    expect(faultsOf(answer)).toContainEqual(['string_type', ...groups, 'and', 0, 'value', 'list[str]', 1]);
    expect(faultsOf(answer)).toContainEqual(['list_type', ...list]);
  });

  test('an unknown group is a 400 that names it', async () => {
    expect(await ask('/tasks', post({ filters: { xor: [] } }))).toEqual({
      status: 400,
      detail: 'Invalid filter(s): no such group: xor (expected and, or, not)',
    });
  });

  test('search needs a body: none and null are the same', async () => {
    const missing = [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }];
    expect((await ask('/schedules/search', { method: 'POST' })).detail).toEqual(missing);
    expect((await ask('/schedules/search', post('null'))).detail).toEqual(missing);
  });
});

test('a body that nests too deep is refused before anything walks through it, JSON or not', async () => {
  const deep = `{"organisation":"aa","priority":1,"data":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`;
  for (const body of [deep, '['.repeat(100_000)]) {
    const answer = await ask('/schedulers/boefje/push', post(body));
    expect(answer).toEqual({ status: 400, detail: 'There was an error parsing the body' });
  }
});
