import { afterEach, describe, expect, test } from 'vitest';
import { readTokens } from '../../src/api-tokens.ts';
import { RotaError } from '../../src/errors.ts';
import { emptyBook, emptyLists, openAccess, serve, type Served, taskId } from './double.ts';

let served: Served;

afterEach(() => served.server.close());

describe('a token', () => {
  test('is required everywhere but at the probes', async () => {
    served = await serve({ access: { ...openAccess, tokens: readTokens({ SCHEDULER_API_TOKEN: 'sesame' }) } });
    const statusOf = async (path: string, authorization?: string) =>
      (await fetch(served.url + path, authorization === undefined ? {} : { headers: { authorization } })).status;
    expect(await statusOf('/health')).toBe(200);
    expect(await statusOf('/ready')).toBe(200);
    for (const path of ['/tasks', '/metrics', '/docs', '/openapi.json', '/nope'])
      expect(await statusOf(path)).toBe(401);
    expect(await statusOf('/tasks', 'Bearer sesam')).toBe(401);
    expect(await statusOf('/tasks', 'Basic sesame')).toBe(401);
    expect(await statusOf('/tasks', 'Bearer sesame')).toBe(200);
  });
});

describe('errors', () => {
  test('of the queue that are unexpected are 500 without any detail', async () => {
    served = await serve({ lists: { ...emptyLists, tasks: () => Promise.reject(new Error('password is hunter2')) } });
    const response = await fetch(`${served.url}/tasks`);
    expect([response.status, await response.json()]).toEqual([500, { detail: 'Internal Server Error' }]);
  });

  test('of a database that cannot be reached are 503: try again', async () => {
    const down = () => Promise.reject(new RotaError('DATABASE_UNAVAILABLE', 'the database cannot be reached'));
    served = await serve({ lists: { ...emptyLists, tasks: down } });
    const response = await fetch(`${served.url}/tasks`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
  });

  test('of a filter are 400 and name what is wrong', async () => {
    const refused = () => Promise.reject(new RotaError('INVALID_FILTER', 'no column nope'));
    served = await serve({ lists: { ...emptyLists, tasks: refused } });
    const response = await fetch(`${served.url}/tasks`);
    expect([response.status, await response.json()]).toEqual([400, { detail: 'Invalid filter(s): no column nope' }]);
  });

  test('a body beyond the limit is 413', async () => {
    served = await serve();
    const body = JSON.stringify({ filters: [], padding: 'x'.repeat(3 * 1024 * 1024) });
    const response = await fetch(`${served.url}/tasks`, { method: 'POST', body });
    expect([response.status, await response.json()]).toEqual([413, { detail: 'Request body is too large' }]);
  });
});

describe('lists', () => {
  test('page links keep the other parameters and put limit and offset last', async () => {
    const page = { count: 45, partial: true, results: '[]', cutAt: null };
    served = await serve({ lists: { ...emptyLists, tasks: () => Promise.resolve(page) } });
    const response = await fetch(`${served.url}/tasks?offset=10&min_created_at=2025-01-01T00:00:00Z&limit=5`);
    const base = `${served.url}/tasks?min_created_at=2025-01-01T00%3A00%3A00Z&limit=5&offset=`;
    expect(await response.json()).toEqual({ count: 45, next: `${base}15`, previous: `${base}5`, results: [] });
  });

  test('a bounded count says whether it stopped, where it was asked for', async () => {
    const asked: unknown[] = [];
    const tasks = (query: unknown) => {
      asked.push(query);
      return Promise.resolve({ count: 61, partial: true, results: '[]', cutAt: null });
    };
    served = await serve({ lists: { ...emptyLists, tasks } });
    const response = await fetch(`${served.url}/tasks?allow_partial_count=true&max_pages=3&limit=20`);
    expect(await response.json()).toMatchObject({ count: 61, is_partial_count: true });
    await fetch(`${served.url}/tasks?allow_partial_count=true&limit=0`);
    expect(asked).toMatchObject([
      { countPages: 3, limit: 20 },
      { countPages: null, limit: 0 },
    ]);
  });

  test("a search without a limit shows a thousand, since two of Rocky's pages send none", async () => {
    const limits: number[] = [];
    const list = ({ limit }: { limit: number }) => {
      limits.push(limit);
      return Promise.resolve({ count: 0, partial: false, results: '[]', cutAt: null });
    };
    served = await serve({ schedules: { ...emptyBook, list } });
    const headers = { 'content-type': 'application/json' };
    await fetch(`${served.url}/schedules/search`, { method: 'POST', headers, body: '{"filters":[]}' });
    await fetch(`${served.url}/schedules`);
    expect(limits).toEqual([1_000, 10]);
  });

  test('statistics take organisations one by one or many at once', async () => {
    const asked: unknown[] = [];
    const stats = (query: unknown) => {
      asked.push(query);
      return Promise.resolve('{}');
    };
    served = await serve({ lists: { ...emptyLists, stats } });
    await fetch(`${served.url}/tasks/stats?scheduler_id=boefje&organisation_id=aa`);
    await fetch(`${served.url}/tasks/stats?organisation_ids=aa&organisation_ids=bb`);
    await fetch(`${served.url}/tasks/stats`);
    expect(asked).toEqual([{ schedulerId: 'boefje', organisations: ['aa'] }, { organisations: ['aa', 'bb'] }, {}]);
  });
});

describe('a patch of a task', () => {
  const stored = {
    id: taskId,
    scheduler_id: 'boefje',
    schedule_id: null,
    type: 'boefje',
    hash: 'a',
    status: 'dispatched',
  };
  const patch = async (body: unknown) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${served.url}/tasks/${taskId}`, {
      method: 'PATCH',
      headers,
      body: JSON.stringify(body),
    });
    return [response.status, ((await response.json()) as { detail?: string }).detail];
  };

  test('may repeat what a task is, but not change it', async () => {
    served = await serve();
    served.queue.task = JSON.stringify(stored);
    expect(await patch({ ...stored, status: 'running' })).toEqual([200, undefined]);
    expect(await patch({ hash: 'b' })).toEqual([400, 'Bad request error occurred: hash of a task does not change']);
  });

  test('refused for its lease or its state is 409', async () => {
    served = await serve();
    served.queue.patchOutcome = { ok: false, failure: { code: 'LEASE_LOST', message: 'lease lost', retryable: false } };
    expect(await patch({ status: 'completed' })).toEqual([409, 'Conflict error occurred: lease lost']);
  });

  test('that says nothing is 400, or 404 where there is no such task', async () => {
    served = await serve();
    expect(await patch({})).toEqual([400, 'Bad request error occurred: no data to patch']);
    served.queue.task = null;
    expect(await patch({})).toEqual([404, `Resource not found: task not found, by task_id: ${taskId}`]);
  });
});

describe('health', () => {
  const sick = { problems: () => Promise.resolve([{ part: 'boefje', reason: 'given up after 5 restarts' }]) };
  const base = {
    version: '1',
    externals: () => Promise.resolve({}),
    notReady: () => Promise.resolve(['database: starting']),
  };

  test('is 200 whatever it says, and names what is wrong; readiness is the status', async () => {
    served = await serve({ health: { ...base, ...sick } });
    const health = await fetch(`${served.url}/health`);
    expect([health.status, await health.json()]).toMatchObject([
      200,
      {
        healthy: false,
        additional: { reasons: ['boefje: given up after 5 restarts'] },
        results: [{ service: 'boefje' }],
      },
    ]);
    expect((await fetch(`${served.url}/ready`)).status).toBe(503);
  });
});
