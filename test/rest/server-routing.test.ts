import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve, type Served } from './double.ts';

let served: Served;

beforeAll(async () => {
  served = await serve();
});
afterAll(() => served.server.close());

async function ask(
  method: string,
  path: string,
): Promise<[status: number, allow: string | null, location: string | null]> {
  const response = await fetch(served.url + path, { method, redirect: 'manual' });
  return [response.status, response.headers.get('allow'), response.headers.get('location')];
}

test.each([
  ['DELETE', '/tasks/0e191e18-bc77-405f-8887-80f510304021', 'GET'],
  ['PUT', '/schedules', 'GET'],
  ['PUT', '/schedules/search', 'GET'],
  ['HEAD', '/schedulers/boefje', 'GET'],
  ['GET', '/schedulers/boefje/pop', 'POST'],
])('%s %s is 405 and names the methods of the first route of that path, as mula does', async (method, path, allow) => {
  expect(await ask(method, path)).toEqual([405, allow, null]);
});

test('a trailing slash is redirected with its query, method and body kept', async () => {
  expect(await ask('POST', '/tasks/?limit=0')).toEqual([307, null, `${served.url}/tasks?limit=0`]);
  expect(await ask('GET', '/nope/')).toEqual([404, null, null]);
});

test('words that are paths of their own are no ids to other methods', async () => {
  expect((await ask('PATCH', '/tasks/stats'))[0]).toBe(422);
  expect((await ask('GET', '/schedules/search'))[0]).toBe(422);
});
