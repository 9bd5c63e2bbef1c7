import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { next } from '../../src/telemetry/events.ts';
import { type RestOnPostgres, serveOnPostgres } from '../support/rest.ts';

let rest: RestOnPostgres;

beforeAll(async () => {
  rest = await serveOnPostgres();
});
afterAll(() => rest.stop());

interface TaskBody {
  id: string;
  status: string;
  data: Record<string, unknown>;
  modified_at: string;
}

async function ask<T = TaskBody>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
  const response = await fetch(rest.url + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T };
}

const boefje = (ooi: string) => ({
  organisation: 'aa',
  priority: 1,
  data: { boefje: { id: 'dns-records' }, input_ooi: `Hostname|internet|${ooi}`, organization: 'aa' },
});

const pop = (query = '') => ask<{ results: TaskBody[] }>('POST', `/schedulers/boefje/pop${query}`);

describe('as an unmodified runner goes about it', () => {
  test('a task is pushed, popped, reported running and completed, and found in lists and statistics', async () => {
    const { body: pushed } = await ask('POST', '/schedulers/boefje/push', boefje('life'));
    const { body: popped } = await pop();
    expect(popped.results).toMatchObject([{ id: pushed.id, status: 'dispatched' }]);
    expect(Object.keys(popped.results[0]!)).toHaveLength(11);
    for (const status of ['running', 'completed']) {
      expect(await ask('PATCH', `/tasks/${pushed.id}`, { status })).toMatchObject({ status: 200, body: { status } });
    }
    const { body: late } = await ask<{ detail: string }>('PATCH', `/tasks/${pushed.id}`, { status: 'failed' });
    expect(late.detail).toMatch(/^Conflict error occurred: /);
    const filters = [{ column: 'data', field: 'input_ooi', operator: '==', value: 'Hostname|internet|life' }];
    const { body: page } = await ask<{ results: TaskBody[] }>('GET', '/tasks?status=completed&input_ooi=LIFE');
    expect(page.results).toMatchObject([{ id: pushed.id }]);
    const found = await ask<{ count: number }>('POST', '/tasks?limit=0', { filters });
    expect(found.body.count).toBe(1);
    const { body: stats } = await ask<Record<string, { completed: number }>>('GET', '/tasks/stats?organisation_id=aa');
    expect(Object.values(stats)).toMatchObject([{ completed: 1 }]);
  });

  test('a time in data has one form from the push on; data whose id is the pushed one is answered as it came', async () => {
    const dataOf = (id: string | undefined, fileId: string) => ({
      ...(id === undefined ? {} : { id }),
      normalizer: { id: 'times' },
      raw_data: {
        id: fileId,
        boefje_meta: {
          id: fileId,
          boefje: { id: 'dns-records' },
          organization: 'aa',
          started_at: '2025-05-27T09:00:15+00:00',
          ended_at: '2025-05-27T09:00:16.3Z',
        },
        mime_types: [{ value: 'text/plain' }],
      },
    });
    const timesOf = ({ data }: TaskBody) => {
      const { started_at, ended_at } = (data as ReturnType<typeof dataOf>).raw_data.boefje_meta;
      return [started_at, ended_at];
    };
    const given = randomUUID();
    for (const [id, expected] of [
      [undefined, ['2025-05-27T09:00:15Z', '2025-05-27T09:00:16.300000Z']],
      [given, ['2025-05-27T09:00:15+00:00', '2025-05-27T09:00:16.3Z']],
    ] as const) {
      const body = {
        ...(id === undefined ? {} : { id }),
        organisation: 'aa',
        priority: 1,
        data: dataOf(id, randomUUID()),
      };
      const { body: pushed } = await ask('POST', '/schedulers/normalizer/push', body);
      const { body: popped } = await ask<{ results: TaskBody[] }>('POST', '/schedulers/normalizer/pop?limit=1');
      const { body: found } = await ask('GET', `/tasks/${pushed.id}`);
      for (const answer of [pushed, ...popped.results, found]) expect(timesOf(answer)).toEqual(expected);
    }
  });

  test('a filter on a number takes a string that holds one, as mula does', async () => {
    const priority = 1_000_000_007;
    const { body: pushed } = await ask('POST', '/schedulers/boefje/push', { ...boefje('numeric'), priority });
    const search = (operator: string, value: unknown) =>
      ask<{ results: TaskBody[] }>('POST', '/tasks', { filters: [{ column: 'priority', operator, value }] });
    for (const [operator, value] of [
      ['eq', `${priority}`],
      ['in', ['1000000009', ` ${priority} `]],
      ['gte', `${priority}`],
    ] as const) {
      const { status, body } = await search(operator, value);
      expect([status, body.results.map(({ id }) => id)]).toEqual([200, [pushed.id]]);
    }
    expect(await search('eq', 'high')).toMatchObject({ status: 400 });
    const popped = await ask<{ results: TaskBody[] }>('POST', '/schedulers/boefje/pop', {
      filters: [{ column: 'priority', operator: 'eq', value: `${priority}` }],
    });
    expect(popped.body.results.map(({ id }) => id)).toEqual([pushed.id]);
  });

  test('lessons 0.3: a whole Task pushed at SIGTERM is queued again, without the secrets in it', async () => {
    await ask('POST', '/schedulers/boefje/push', boefje('given-back'));
    const task = (await pop()).body.results[0]!;
    const hydrated = { ...task, data: { ...task.data, environment: { API_KEY: 'secret' } } };
    const released = await ask('POST', '/schedulers/boefje/push', hydrated);
    expect(released).toMatchObject({ status: 201, body: { id: task.id, status: 'queued', data: task.data } });
    expect((await pop()).body.results).toMatchObject([{ id: task.id }]);
  });

  test('data with its own id is stored as given but for secrets', async () => {
    const id = '5a4d0c6e-92b8-4f5c-8d53-0c5dd6f0a001';
    const data = { ...boefje('as-given').data, id, note: 'kept', environment: { API_KEY: 'secret' } };
    const { body } = await ask('POST', '/schedulers/boefje/push', { ...boefje('as-given'), id, data });
    expect(body.data).toEqual({ ...boefje('as-given').data, id, note: 'kept' });
    await ask('PATCH', `/tasks/${id}`, { status: 'cancelled' });
  });
});

describe('what a runner puts into data', () => {
  const environment = { API_KEY: 'hunter2' };
  const secret = { environment, settings: ['hunter2'], runnable_hash: 'hunter2' };

  test('is never stored and never answered, whichever way it comes', async () => {
    const answers: unknown[] = [];
    const id = randomUUID();
    const data = {
      ...boefje('deep').data,
      boefje: { id: 'dns-records', ...secret },
      more: [{ even: { environment } }],
    };
    answers.push(await ask('POST', '/schedulers/boefje/push', { ...boefje('deep'), data }));
    answers.push(
      await ask('POST', '/schedulers/boefje/push', { ...boefje('own'), id, data: { ...data, id, input_ooi: 'own' } }),
    );
    answers.push(await ask('PATCH', `/tasks/${id}`, { data: { ...data, id } }));
    answers.push(await ask('GET', `/tasks/${id}`));
    const schedule = {
      scheduler_id: 'boefje',
      organisation: 'aa',
      data: { ...data, input_ooi: 'planned' },
      schedule: '0 0 * * *',
    };
    const { body: created } = await ask('POST', '/schedules', schedule);
    answers.push(created, await ask('PATCH', `/schedules/${created.id}`, { data: schedule.data }));
    answers.push(
      await ask('POST', '/schedulers/boefje/pop'),
      await ask('GET', '/tasks?limit=100'),
      await ask('GET', '/schedules?limit=100'),
    );
    expect(JSON.stringify(answers)).not.toContain('hunter2');
    expect(JSON.stringify(answers)).toContain('"more":[{"even":{}}]');
    const [row] = await rest.sql.unsafe(
      `SELECT (SELECT count(*) FROM tasks WHERE data::text LIKE '%hunter2%') + (SELECT count(*) FROM schedules WHERE data::text LIKE '%hunter2%') AS stored`,
    );
    expect(Number(row!['stored'])).toBe(0);
    await rest.sql.unsafe('DELETE FROM schedules');
    for (;;) {
      const { body } = await pop();
      if (body.results.length === 0) break;
      for (const task of body.results) await ask('PATCH', `/tasks/${task.id}`, { status: 'cancelled' });
    }
  });
});

describe('a pop that waits', () => {
  test('is answered by the push that comes', async () => {
    const parked = next('waiter.parked');
    const waiting = pop('?wait=20');
    await parked;
    const { body: pushed } = await ask('POST', '/schedulers/boefje/push', boefje('awaited'));
    expect((await waiting).body.results).toMatchObject([{ id: pushed.id }]);
  });

  test('of a client that left takes nothing', async () => {
    const parked = next('waiter.parked');
    const client = httpRequest(`${rest.url}/schedulers/boefje/pop?wait=20`, { method: 'POST' });
    client.on('error', () => {});
    client.end();
    await parked;
    client.destroy();
    await expect.poll(() => rest.queue.parked().get('boefje') ?? 0).toBe(0);
    const { body: pushed } = await ask('POST', '/schedulers/boefje/push', boefje('not-for-the-client-that-left'));
    expect((await pop()).body.results).toMatchObject([{ id: pushed.id }]);
  });
});

test('a cron that can run is taken as croniter takes it, one that cannot is refused before anything is stored', async () => {
  const create = (schedule: string) =>
    ask<{ id: string; deadline_at: string; detail?: string }>('POST', '/schedules', {
      scheduler_id: 'report',
      organisation: 'crons',
      data: { organisation_id: 'crons', report_recipe_id: randomUUID() },
      schedule,
    });
  const { status, body: created } = await create('30 22-6 * * *');
  expect(status).toBe(201);
  expect(created.deadline_at).toMatch(/T(?:22|23|0[0-6]):30:00\.000000Z$/);
  const patch = (schedule: string) =>
    ask<{ deadline_at: string; detail?: string }>('PATCH', `/schedules/${created.id}`, { schedule });
  expect((await patch('0 0 1 11-2 *')).body.deadline_at).toMatch(/-(?:11|12|01|02)-01T00:00:00\.000000Z$/);
  for (const cron of [
    'R * * * *',
    'H * * * *',
    '0 0 * * 5L',
    '0 0 1W * *',
    '0 0 30 2 *',
    `${'1,'.repeat(300)}1 * * * *`,
  ]) {
    const refused = await create(cron);
    expect([cron, refused.status]).toEqual([cron, 400]);
    expect(refused.body.detail).toContain(`Invalid cron expression: ${cron}`);
    expect([cron, (await patch(cron)).status]).toEqual([cron, 400]);
  }
  const { body: page } = await ask<{ count: number; results: { schedule: string }[] }>(
    'GET',
    '/schedules?organisation=crons',
  );
  expect(page).toMatchObject({ count: 1, results: [{ schedule: '0 0 1 11-2 *' }] });
});

test('a schedule is created once, found, moved by a new cron, disabled and deleted', async () => {
  const data = { type: 'report', organisation_id: 'aa', report_recipe_id: 'recipe' };
  const asked = { scheduler_id: 'report', organisation: 'aa', data, schedule: '0 0 L * *' };
  const { body: created } = await ask<{ id: string; deadline_at: string }>('POST', '/schedules', asked);
  expect(await ask('POST', '/schedules', asked)).toMatchObject({ status: 409 });
  const filters = [{ column: 'data', field: 'report_recipe_id', operator: 'eq', value: 'recipe' }];
  const found = await ask<{ results: unknown[] }>('POST', '/schedules/search', { filters });
  expect(found.body.results).toMatchObject([{ id: created.id, enabled: true }]);
  const moved = await ask<{ deadline_at: string }>('PATCH', `/schedules/${created.id}`, { schedule: '0 12 1 1 *' });
  expect(moved.body.deadline_at).toMatch(/-01-01T12:00:00/);
  expect(await ask('PATCH', `/schedules/${created.id}`, { enabled: false })).toMatchObject({
    body: { enabled: false },
  });
  expect(await ask('DELETE', `/schedules/${created.id}`)).toEqual({ status: 204, body: null });
  expect(await ask('GET', `/schedules/${created.id}`)).toMatchObject({ status: 404 });
});

test.each([
  ['an unknown column', { column: 'nope', operator: 'eq', value: 1 }],
  ['an operator that does not fit the type', { column: 'created_at', operator: 'like', value: '%' }],
  ['a value of another type', { column: 'priority', operator: 'eq', value: 'high' }],
])('lessons 1: an invalid filter (on %s) is a 400 at once, for lists and pops', async (_what, filter) => {
  for (const path of ['/tasks', '/schedulers/boefje/pop']) {
    const { status, body } = await ask<{ detail: string }>('POST', path, { filters: [filter] });
    expect([status, body.detail]).toEqual([400, expect.stringContaining(filter.column)]);
  }
});

test('an outage of the database is not taken for a task that is gone', async () => {
  const other = await serveOnPostgres();
  await other.dropDatabase();
  const response = await fetch(`${other.url}/tasks/0e191e18-bc77-405f-8887-80f510304021`);
  expect(response.status).toBeGreaterThanOrEqual(500);
  await other.stop();
});

test('an operator sees when a queued task starts, or why that cannot be told; the task itself stays as mula has it', async () => {
  const { body: task } = await ask('POST', '/schedulers/boefje/push', boefje('start'));
  const { status, body } = await ask<Record<string, unknown>>('GET', `/tasks/${task.id}/start`);
  expect([status, body]).toEqual([
    200,
    {
      estimated_start_at: null,
      unknown: 'nobody-asks',
      image: null,
      among: 'all',
      before: expect.any(Number),
      before_is_least: false,
      per_second: null,
      over_seconds: null,
      asked_at: null,
    },
  ]);
  expect(Object.keys((await ask('GET', `/tasks/${task.id}`)).body)).toHaveLength(11);
  await ask('PATCH', `/tasks/${task.id}`, { status: 'cancelled' });
  expect((await ask('GET', `/tasks/${task.id}/start`)).body).toMatchObject({ unknown: 'not-queued' });
  expect((await ask('GET', `/tasks/${randomUUID()}/start`)).status).toBe(404);
});
