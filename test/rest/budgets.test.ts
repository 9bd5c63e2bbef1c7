import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newToken, readTokens } from '../../src/api-tokens.ts';
import { readConfig } from '../../src/config/config.ts';
import { answerWithinMs, popMarginMs } from '../../src/admission.ts';
import { searchMs } from '../../src/queue/pop/claim.ts';
import { filterBudget } from '../../src/queue/filter/filter.ts';
import { pageMs } from '../../src/postgres/pool.ts';
import { roomBytes } from '../../src/queue/queue.ts';
import { sharedInFlight } from '../../src/rest/bounds.ts';
import { ofActorAtMost, ofCallerAtMost } from '../../src/control/explain-bounds.ts';
import { budgets } from '../../src/rest/budgets.ts';
import { deepestNesting, lengths, mostValues } from '../../src/tasks/limits.ts';
import { emptyBook, emptyLists, openAccess, serve, type Served, taskId } from './double.ts';

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
  ])('%s %.20s with a text beyond a kilobyte is 422, and does not reach the queue', async (method, path, body) => {
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

  test('is stated in full in a sentence of less than 2 500 characters', async () => {
    served = await serve();
    const schedule = `* * * * ${'9'.repeat(900)}`;
    const { text } = await ask('POST', '/schedules', { scheduler_id: 'report', organisation: 'a', data: {}, schedule });
    expect(text).toMatch(/value_error"}$/);
  });

  test('of too deep a filter states the limit', async () => {
    served = await serve();
    const filters = [{ column: 'data', operator: '@>', value: [[[[[[[[[[1]]]]]]]]]] }];
    expect((await ask('POST', '/tasks', { filters })).text).toContain('Input should have at most 5 levels of nesting');
  });

  test('with twenty faults of many quotes is refused in less than 8 kB', async () => {
    served = await serve();
    const condition = { column: { '"': '"'.repeat(300) }, operator: 'x', value: 1 };
    const { status, text } = await ask('POST', '/tasks', { filters: Array.from({ length: 50 }, () => condition) });
    expect(status).toBe(422);
    expect(text.length).toBeLessThan(8_000);
    expect((JSON.parse(text) as { detail: unknown[] }).detail.length).toBeGreaterThan(3);
  });

  test('is not repeated at length by what refuses it', async () => {
    served = await serve({
      schedules: { ...emptyBook, patch: () => Promise.reject(new Error('x'.repeat(1_000_000))) },
    });
    const cron = `* * * * ${'9'.repeat(1_000)}`;
    const controls = '\0'.repeat(1_000);
    const asked = [
      await ask('POST', '/schedules', { scheduler_id: 'report', organisation: 'a', data: {}, schedule: cron }),
      await ask('POST', '/schedules', { scheduler_id: 'report', organisation: 'a', data: {}, schedule: controls }),
      await ask('GET', `/schedulers/${'x'.repeat(1_000)}`),
      await ask('PATCH', `/schedules/${taskId}`, { enabled: true }),
    ];
    for (const { status, text } of asked) {
      expect(status).not.toBe(200);
      expect(text.length).toBeLessThan(budgets.detailBytes + 200);
    }
  });
});

describe('one client', () => {
  test('has 2 000 pops at most, whatever its share', () => {
    const pops = sharedInFlight({ most: 10_000, mostBytes: 1_000 }, 1, 'pops', budgets.popsOfClient);
    for (let n = 0; n < 2_000; n += 1) pops.enter('a', 0);
    expect(() => pops.enter('a', 0)).toThrow(/2000 pops in flight already: try again/);
    pops.enter('b', 0);
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

  test('that fills its share of parked pops gets 503 with Retry-After, and others are served', async () => {
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

test('an answer that is not read within 30 s is given up, and its socket with it', async () => {
  const answerBytes = 8_000_000;
  const results = JSON.stringify([{ data: 'x'.repeat(answerBytes) }]);
  served = await serve({
    lists: { ...emptyLists, tasks: async () => ({ count: 1, partial: false, results, cutAt: null }) },
  });
  const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
  await once(socket, 'connect');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  socket.write('GET /tasks HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
  const [first] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  vi.advanceTimersByTime(budgets.answerLeavesMs);
  vi.useRealTimers();
  let read = first.length;
  const closed = once(socket, 'close');
  socket.on('data', (chunk: Buffer) => (read += chunk.length));
  socket.on('error', () => {});
  socket.resume();
  await closed;
  expect(read).toBeLessThan(answerBytes);
});

const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');

test('the page of security has every budget of REST as it is', () => {
  const section = page.split('## Budgets of REST\n')[1]!.split('\n## ')[0]!;
  const rows = [...section.matchAll(/^\| (.+?) +\| (.+?) +\| .*\|$/gm)].map(([, what, most]) => [what, most]);
  const config = readConfig({});
  const number = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
  const mebibytes = (bytes: number) => `${bytes / 1_048_576} MiB`;
  const seconds = (ms: number) => `${ms / 1_000} s`;
  const expected: readonly (readonly [string, string])[] = [
    ['body', mebibytes(budgets.bodyBytes)],
    ['body of a log-in, or where none is read (GET, DELETE; not `/tasks`)', `${number(budgets.smallBodyBytes)} bytes`],
    ['request line and headers', `${budgets.headerBytes / 1_024} KiB`],
    ['path, without the query', `${number(budgets.pathCharacters)} characters`],
    ['values of a body', number(mostValues)],
    ['nesting of a body', `${deepestNesting} levels`],
    ['another name in a path or query, a cron', `${number(budgets.textCharacters)} characters`],
    [
      'in tasks and schedules: an organisation, an OOI, another name',
      `${[lengths.organisation, lengths.ooi, lengths.name].map(number).join(', ')} bytes`,
    ],
    ['an answer, a page', mebibytes(roomBytes)],
    [
      'conditions of a filter, values of its lists, depth',
      [filterBudget.conditions, filterBudget.values, filterBudget.depth].map(number).join(', '),
    ],
    ['a list: time at the database, in all', `${seconds(pageMs)}, ${seconds(2 * pageMs)}`],
    ['a pop whose filter looks into tasks', seconds(searchMs)],
    ['sentence of an error', `${number(budgets.detailBytes)} bytes`],
    ['time for a request to arrive', seconds(budgets.requestTimeoutMs)],
    ['time for an answer', `${seconds(answerWithinMs)}; a pop ${seconds(popMarginMs)} after \`wait\``],
    ['requests in flight: number, bytes', `${number(budgets.inFlight)}, ${mebibytes(budgets.inFlightBytes)}`],
    ['pops in flight, those that wait among them', number(budgets.pops)],
    [
      'commands of operators under way (`/ctl`); of one client',
      `${number(budgets.commands)}; ${number(budgets.commandsOfClient)}`,
    ],
    ['explanations under way of one caller; of one actor', `${ofCallerAtMost}; ${ofActorAtMost}`],
    ['answers that are not read yet', `${mebibytes(budgets.answerBytes)}; ${seconds(budgets.answerLeavesMs)} each`],
    ['connections', number(budgets.connections)],
    ['of the last four, one client', config.SCHEDULER_API_CLIENT_SHARE === 0.5 ? 'half' : ''],
    [
      'pops of one client, distinct filters of them',
      `${number(budgets.popsOfClient)}, ${number(budgets.filtersOfClient)}`,
    ],
    ['tasks that one client holds (`SCHEDULER_CLIENT_LEASES`)', number(config.SCHEDULER_CLIENT_LEASES)],
  ];
  expect(rows.filter(([what]) => what !== 'What' && !/^-+$/.test(what!))).toEqual(expected);
});

test.each(['/schedules/x', '/%ffx', '/schedules/%00'])(
  'what the router refuses before any hook is answered shortly, too: %s',
  async (path) => {
    served = await serve();
    const reply = await fetch(`${served.url}${path}${path.slice(-3).repeat(3_500)}`, { method: 'PATCH', body: '{}' });
    expect([400, 404, 414]).toContain(reply.status);
    expect((await reply.text()).length).toBeLessThan(3_000);
  },
);

test('a client has 8 commands under way, each until it is done', async () => {
  const ends: (() => void)[] = [];
  const run = () => new Promise<unknown>((resolve) => ends.push(() => resolve({})));
  const audit = () => {};
  served = await serve({ operations: { run, audit, weights: null as never } });
  const asked = Array.from({ length: 8 }, () => ask('POST', '/ctl/status', {}));
  await vi.waitFor(() => expect(ends).toHaveLength(8));
  expect(await ask('POST', '/ctl/status', {})).toMatchObject({ status: 503, retryAfter: expect.any(String) });
  ends[0]!();
  await vi.waitFor(async () => {
    const next = ask('POST', '/ctl/status', {});
    await vi.waitFor(() => expect(ends).toHaveLength(9));
    ends.forEach((end) => end());
    expect(await next).toMatchObject({ status: 200 });
  });
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(8).fill(200));
});
