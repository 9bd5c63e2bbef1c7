import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shortInput } from '../../src/rest/errors.ts';
import { serve, type Served } from './double.ts';

let served: Served;

beforeAll(async () => {
  served = await serve();
});
afterAll(() => served.server.close());

test('a short value is echoed as it came, a long one as the beginning of its JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const echoed = shortInput(value);
      if (JSON.stringify(value).length <= 300) expect(echoed).toEqual(value);
      expect(JSON.stringify(echoed).length).toBeLessThan(2_500);
    }),
  );
  expect(shortInput('x'.repeat(301))).toBe(`${'x'.repeat(200)}…`);
  expect(shortInput([1, 'x'.repeat(301)])).toBe(`[1,"${'x'.repeat(196)}…`);
});

const long = 'x'.repeat(100_000);
const many = Array.from({ length: 20_000 }, () => ({}));

test.each<[string, string, string, unknown]>([
  ['conditions without end', 'POST', '/tasks', { filters: many }],
  ['conditions without end in a pop', 'POST', '/schedulers/boefje/pop', { filters: many }],
  ['conditions without end in groups', 'POST', '/schedules/search', { filters: { and: many, or: many } }],
  ['groups without end', 'POST', '/tasks', { filters: Object.fromEntries(many.map((_, at) => [`${at}`, [{}]])) }],
  ['a hundred faulty conditions', 'POST', '/tasks', { filters: many.slice(0, 100) }],
  ['values of no kind', 'POST', '/tasks', { filters: [{ column: 'id', operator: 'in', value: many.slice(0, 9_000) }] }],
  ['a long unknown operator', 'POST', '/tasks', { filters: [{ column: 'id', operator: long, value: 1 }] }],
  ['a long unknown key', 'POST', '/schedulers/boefje/push', { [long]: long }],
  [
    'unknown keys without end',
    'POST',
    '/schedulers/boefje/push',
    Object.fromEntries(many.map((_, at) => [`k${at}`, long.slice(0, 50)])),
  ],
  ['a long text where a number is', 'POST', '/schedulers/boefje/push', { organisation: 'a', priority: long, data: {} }],
  ['a long list where an object is', 'POST', '/schedulers/boefje/push', { organisation: 'a', priority: 1, data: many }],
])('%s: the 4xx takes a few kB', async (_what, method, path, body) => {
  const answer = await fetch(`${served.url}${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  const text = await answer.text();
  expect(answer.status).toBe(422);
  expect(text.length).toBeLessThan(16_000);
  expect((JSON.parse(text) as { detail: unknown[] }).detail.length).toBeLessThanOrEqual(20);
});

test('a group named like what every object has is refused by its name, never dropped', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', long]) {
    const body = `{"filters":{"and":[],${JSON.stringify(name)}:[{"column":"id","operator":"eq","value":"x"}]}}`;
    const answer = await fetch(`${served.url}/tasks`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(400);
    const { detail } = (await answer.json()) as { detail: string };
    expect(detail).toContain(`no such group: ${name.slice(0, 99)}`);
    expect(detail.length).toBeLessThan(300);
  }
});
