import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { newToken, readTokens } from '../../src/api-tokens.ts';
import { Shares } from '../../src/rest/bounds.ts';
import { budgets } from '../../src/rest/budgets.ts';
import { lengths } from '../../src/tasks/lengths.ts';
import { emptyBook, openAccess, serve, type Served, taskId } from './double.ts';

let served: Served;

afterEach(() => served?.server.close());

const long = 'x'.repeat(budgets.textCharacters + 1);

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(served.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text(), retryAfter: response.headers.get('retry-after') };
}

describe('a request', () => {
  test('of 16 000 slashes is answered at once, with or without a token', { timeout: 60_000 }, async () => {
    for (const tokens of [[], readTokens({ SCHEDULER_API_TOKENS: newToken('a', 'read').line })]) {
      served = await serve({ access: { ...openAccess, tokens } });
      await ask('GET', '/tasks');
      const began = process.threadCpuUsage();
      const statuses = await Promise.all(
        Array.from({ length: 20 }, async () => (await ask('GET', `/x${'/'.repeat(15_500)}x`)).status),
      );
      // Of this thread, not of the clock: others use the machine. 20 of them held it for nine seconds.
      expect(process.threadCpuUsage(began).user / 1_000).toBeLessThan(500);
      expect(new Set(statuses)).toEqual(new Set([tokens.length === 0 ? 414 : 401]));
      await served.server.close();
    }
    served = await serve();
  });

  test('of headers beyond 16 kB is 431', async () => {
    served = await serve();
    expect(await ask('GET', '/tasks', undefined, { 'x-a': 'x'.repeat(20_000) })).toMatchObject({ status: 431 });
  });

  test.each<[string, string, unknown]>([
    ['POST', '/schedulers/boefje/push', { organisation: long, priority: 1, data: {} }],
    ['POST', '/schedulers/boefje/push', { organisation: 'a', scheduler_id: long, priority: 1, data: {} }],
    ['POST', '/schedulers/boefje/push', { id: '0'.repeat(100_000), organisation: 'a', priority: 1, data: {} }],
    ['PATCH', `/tasks/${taskId}`, { organisation: long }],
    ['PATCH', `/tasks/${taskId}`, { hash: long }],
    ['POST', '/schedules', { scheduler_id: 'report', organisation: long, data: {}, schedule: '* * * * *' }],
    ['POST', '/schedules', { scheduler_id: 'report', organisation: 'a', data: {}, schedule: '*'.repeat(1_025) }],
    ['GET', `/tasks?organisation=${long}`, undefined],
    ['GET', `/tasks?input_ooi=${'x'.repeat(lengths.ooi + 1)}`, undefined],
    ['GET', `/tasks?organisation=${'é'.repeat(lengths.organisation / 2 + 1)}`, undefined],
    ['GET', `/tasks/stats?organisation_ids=a&organisation_ids=${long}`, undefined],
    ['GET', `/schedules?schedule_hash=${long}`, undefined],
  ])('%s %.20s with a text beyond a kilobyte is 422, and reaches nobody', async (method, path, body) => {
    served = await serve();
    expect(await ask(method, path, body)).toMatchObject({ status: 422 });
    expect(served.queue.pushed).toEqual([]);
  });

  test('may ask for whatever is stored', async () => {
    served = await serve();
    for (const query of [`input_ooi=${'x'.repeat(lengths.ooi)}`, `organisation=${'x'.repeat(lengths.organisation)}`])
      expect(await ask('GET', `/tasks?${query}`)).toMatchObject({ status: 200 });
  });

  const about = (recipe: string) => ({ organisation_id: 'a', report_recipe_id: recipe });

  test.each<[string, string, object]>([
    ['POST', '/schedules', { scheduler_id: 'report', organisation: 'a', schedule: '* * * * *' }],
    ['PATCH', `/schedules/${taskId}`, {}],
    ['PATCH', `/tasks/${taskId}`, {}],
  ])('%s %s with data that has a text beyond its length is 422, as a push is', async (method, path, rest) => {
    const schedule = JSON.stringify({ scheduler_id: 'report' });
    const schedules = {
      ...emptyBook,
      get: () => Promise.resolve(schedule),
      create: () => Promise.resolve('{}'),
      patch: () => Promise.resolve('{}'),
    };
    served = await serve({ schedules });
    served.queue.task = JSON.stringify({ id: taskId, type: 'report' });
    expect(await ask(method, path, { ...rest, data: about(long) })).toEqual({
      status: 422,
      text: '{"detail":"data.report_recipe_id: at most 1024 bytes"}',
      retryAfter: null,
    });
    const { status } = await ask(method, path, { ...rest, data: about('x') });
    expect(status).toBe(method === 'POST' ? 201 : 200);
  });

  test('is told whole in a sentence of less than 2 500 characters', async () => {
    served = await serve();
    const schedule = `* * * * ${'9'.repeat(900)}`;
    const { text } = await ask('POST', '/schedules', { scheduler_id: 'report', organisation: 'a', data: {}, schedule });
    expect(text).toMatch(/value_error"}$/);
  });

  test('of too deep a filter is told what it may have', async () => {
    served = await serve();
    const filters = [{ column: 'data', operator: '@>', value: [[[[[[[[[[1]]]]]]]]]] }];
    expect((await ask('POST', '/tasks', { filters })).text).toContain('Input should have at most 5 levels of nesting');
  });

  test('is not repeated at length by what refuses it', async () => {
    served = await serve({
      schedules: { ...emptyBook, patch: () => Promise.reject(new Error('x'.repeat(1_000_000))) },
    });
    const cron = `* * * * ${'9'.repeat(1_000)}`;
    const asked = [
      await ask('POST', '/schedules', { scheduler_id: 'report', organisation: 'a', data: {}, schedule: cron }),
      await ask('GET', `/schedulers/${'x'.repeat(1_000)}`),
      await ask('PATCH', `/schedules/${taskId}`, { enabled: true }),
    ];
    for (const { status, text } of asked) {
      expect(status).not.toBe(200);
      expect(text.length).toBeLessThan(budgets.detailCharacters + 200);
    }
  });
});

describe('one client', () => {
  test('has its share of what is in flight; what it leaves is there for others', () => {
    const shares = new Shares({ most: 10, mostBytes: 1_000 }, 0.5);
    const left = Array.from({ length: 5 }, () => shares.enter('a', 1));
    expect(() => shares.enter('a', 1)).toThrow(/5 requests of 5 bytes wait already/);
    left.push(shares.enter('b', 1));
    for (const leave of left) leave();
    for (let n = 0; n < 5; n += 1) shares.enter('a', 1);
  });

  test('never holds more than its share, and all never more than there is', () => {
    const bounds = { most: 8, mostBytes: 100 };
    const step = fc.record({ client: fc.constantFrom('a', 'b', 'c'), bytes: fc.nat(40), leave: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const shares = new Shares(bounds, 0.5);
        const held: { client: string; bytes: number; leave: () => void }[] = [];
        for (const { client, bytes, leave } of steps) {
          if (leave) held.shift()?.leave();
          else {
            try {
              held.push({ client, bytes, leave: shares.enter(client, bytes) });
            } catch {
              // Refused.
            }
          }
          expect(held.length).toBeLessThanOrEqual(bounds.most);
          for (const name of ['a', 'b', 'c']) {
            const own = held.filter((one) => one.client === name);
            expect(own.length).toBeLessThanOrEqual(4);
            if (own.length > 1) expect(own.reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(50);
          }
        }
        for (const { leave } of held) leave();
        // Nothing is kept of those who left.
        for (let n = 0; n < 4; n += 1) shares.enter('a', 1);
        for (let n = 0; n < 4; n += 1) shares.enter('b', 1);
      }),
    );
  });

  test('has 2 000 pops at most, whatever its share', () => {
    const shares = new Shares({ most: 10_000, mostBytes: 1_000 }, 1, budgets.popsOfClient);
    for (let n = 0; n < 2_000; n += 1) shares.enter('a', 0);
    expect(() => shares.enter('a', 0)).toThrow(/SCHEDULER_API_CLIENT_SHARE/);
    shares.enter('b', 0);
  });

  test('pops with 100 distinct filters at a time', async () => {
    served = await serve();
    const parked: (() => void)[] = [];
    served.queue.claim = () => new Promise((resolve) => parked.push(() => resolve([])));
    const pop = (value: number) =>
      ask('POST', '/schedulers/boefje/pop?wait=20', { filters: [{ column: 'organisation', operator: '==', value }] });
    const waiting = Array.from({ length: 100 }, (_, at) => pop(at));
    await expect.poll(() => parked.length).toBe(100);
    expect(await pop(100)).toMatchObject({ status: 503, retryAfter: '5' });
    for (const end of parked) end();
    await Promise.all(waiting);
    served.queue.claim = () => Promise.resolve([]);
    expect(await pop(100)).toMatchObject({ status: 200 });
  });

  test('that fills its share of parked pops is told to come back, and others are served', async () => {
    const [one, other] = [newToken('one', 'work'), newToken('other', 'work')];
    const tokens = readTokens({ SCHEDULER_API_TOKENS: `${one.line},${other.line}` });
    served = await serve({ access: { ...openAccess, tokens, clientShare: 30 / budgets.pops } });
    const all: (() => void)[] = [];
    const parked = Promise.withResolvers<void>();
    served.queue.claim = () =>
      new Promise((resolve) => {
        all.push(() => resolve([]));
        if (all.length === 30) parked.resolve();
      });
    const pop = (token: string) =>
      ask('POST', '/schedulers/boefje/pop?wait=20', undefined, { authorization: `Bearer ${token}` });
    const waiting = Array.from({ length: 30 }, () => pop(one.token));
    await parked.promise;
    expect(await pop(one.token)).toMatchObject({ status: 503, retryAfter: '5' });
    served.queue.claim = () => Promise.resolve([]);
    expect(await pop(other.token)).toMatchObject({ status: 200 });
    for (const end of all) end();
    await Promise.all(waiting);
    expect(await pop(one.token)).toMatchObject({ status: 200 });
  });

  test('opens its share of connections, and no more', async () => {
    served = await serve({ access: { ...openAccess, clientShare: 2 / budgets.connections } });
    const { port } = new URL(served.url);
    const sockets: Socket[] = [];
    const ends = async () => {
      const socket = connect(Number(port), '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write('GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
      return Promise.race([
        once(socket, 'data').then(([data]) => String(data).slice(9, 12)),
        once(socket, 'close').then(() => 'closed'),
      ]);
    };
    expect([await ends(), await ends(), await ends()]).toEqual(['200', '200', 'closed']);
    const closed = once(sockets[0]!, 'close');
    sockets[0]!.destroy();
    await closed;
    await expect.poll(ends).toBe('200');
    for (const socket of sockets) socket.destroy();
  });
});

test.each(['/schedules/', '/%ff'])(
  'what the router refuses before any hook is answered shortly, too: %s',
  async (path) => {
    served = await serve();
    const reply = await fetch(`${served.url}${path}${'x'.repeat(10_000)}`, { method: 'PATCH', body: '{}' });
    expect([400, 404, 414]).toContain(reply.status);
    expect((await reply.text()).length).toBeLessThan(3_000);
  },
);
