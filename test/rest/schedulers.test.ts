import { request as httpRequest } from 'node:http';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { serve, type Served, taskId } from './double.ts';

let served: Served;

beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.server.close());

const claimed: ClaimedTask = {
  id: taskId,
  unit: 1,
  task: `{"id":"${taskId}"}`,
  leaseId: 'secret',
  leaseUntil: '2026-01-01T00:00:00.000000Z',
  attempts: 1,
  trace: null,
};

async function post(path: string, body?: unknown): Promise<{ status: number; headers: Headers; body: unknown }> {
  const response = await fetch(served.url + path, {
    method: 'POST',
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

describe('a pop', () => {
  test('of boefjes hands out one unit whatever the limit, 0 included', async () => {
    for (const limit of ['', '?limit=0', '?limit=50']) await post(`/schedulers/boefje/pop${limit}`);
    expect(served.queue.pops.map(({ limit }) => limit)).toEqual([1, 1, 1]);
  });

  test('of normalizers hands out up to its limit, a thousand without one, none with 0', async () => {
    for (const limit of ['?limit=7', '', '?limit=0', '?limit=-1']) await post(`/schedulers/normalizer/pop${limit}`);
    expect(served.queue.pops.map(({ limit }) => limit)).toEqual([7, 1_000]);
  });

  test('is leased for the time in which its runner should begin, waits as long as asked, and passes its filter on', async () => {
    const filters = [{ column: 'data', field: 'boefje__id', operator: 'in', value: ['dns-records'] }];
    await post('/schedulers/boefje/pop?wait=2.5', { filters });
    expect(served.queue.pops[0]).toMatchObject({
      waitMs: 2_500,
      leaseMs: 86_400_000,
      via: 'rest',
      filters: { filters },
    });
  });

  test('shows nothing of its lease', async () => {
    served.queue.claim = () => Promise.resolve([claimed]);
    expect((await post('/schedulers/boefje/pop')).body).toEqual({ results: [{ id: taskId }] });
  });

  test('of a client that leaves frees its waiter, and gives back what was claimed for it', async () => {
    const parked = Promise.withResolvers<AbortSignal>();
    served.queue.claim = async ({ signal }) => {
      parked.resolve(signal!);
      await once(signal!, 'abort');
      return [claimed];
    };
    const client = httpRequest(`${served.url}/schedulers/boefje/pop?wait=25`, { method: 'POST' });
    client.on('error', () => {});
    client.end();
    const signal = await parked.promise;
    expect(signal.aborted).toBe(false);
    client.destroy();
    await expect.poll(() => served.queue.givenBack).toEqual([taskId]);
  });

  test('that waits is answered with nothing when the server closes', async () => {
    const parked = Promise.withResolvers<null>();
    served.queue.claim = async ({ signal }) => {
      parked.resolve(null);
      await once(signal!, 'abort');
      return [];
    };
    const answer = post('/schedulers/boefje/pop?wait=25');
    await parked.promise;
    await served.server.close();
    expect((await answer).body).toEqual({ results: [] });
  });
});

describe('a push', () => {
  const task = { organisation: 'aa', priority: 1, data: { boefje: { id: 'dns-records' }, organization: 'aa' } };

  test.each([
    [
      { outcome: 'refused', reason: 'already-queued' },
      409,
      'Conflict error occurred: queue is not allowed to push items',
    ],
    [{ outcome: 'refused', reason: 'queue-full' }, 429, 'Too many requests'],
    [
      {
        outcome: 'failed',
        failure: { code: 'BAD_REQUEST', message: 'organization: expected string', retryable: false },
      },
      400,
      'Bad request error occurred: malformed item',
    ],
    [
      { outcome: 'failed', failure: { code: 'CONFLICT', message: 'a task of that id exists', retryable: false } },
      409,
      'Conflict error occurred: a task of that id exists',
    ],
  ] as const)('that the queue declines is answered as mula does: %j', async (outcome, status, detail) => {
    served.queue.pushOutcome = outcome;
    const answer = await post('/schedulers/boefje/push', task);
    expect(answer).toMatchObject({ status, body: { detail } });
    expect(answer.headers.get('retry-after')).toBe(status === 409 ? '60' : null);
  });

  const wholeTask = { ...task, id: taskId, scheduler_id: 'boefje', status: 'dispatched', type: 'boefje', hash: 'a' };

  test('of a whole Task gives it back, and its data goes nowhere', async () => {
    served.queue.releaseOutcome = { outcome: 'released', task: `{"id":"${taskId}","status":"queued"}` };
    const answer = await post('/schedulers/boefje/push', { ...wholeTask, data: { environment: { KEY: 'secret' } } });
    expect(answer).toMatchObject({ status: 201, body: { id: taskId, status: 'queued' } });
    expect(served.queue.released).toEqual([taskId]);
    expect(served.queue.pushed).toEqual([]);
  });

  test('of a whole unknown Task is 422 for its extra keys, as in mula', async () => {
    const answer = await post('/schedulers/boefje/push', wholeTask);
    expect(answer.status).toBe(422);
    expect((answer.body as { detail: { loc: string[] }[] }).detail.map(({ loc }) => loc)).toEqual([
      ['body', 'status'],
      ['body', 'type'],
      ['body', 'hash'],
    ]);
  });

  test('of a whole Task that is finished is 409', async () => {
    served.queue.releaseOutcome = { outcome: 'conflict' };
    expect(await post('/schedulers/boefje/push', wholeTask)).toMatchObject({ status: 409 });
  });

  test('with any other unknown key releases nothing', async () => {
    expect((await post('/schedulers/boefje/push', { ...wholeTask, lease: 1 })).status).toBe(422);
    expect(served.queue.released).toEqual([]);
  });
});
