import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newToken, readTokens } from '../../src/api-tokens.ts';
import { budgets } from '../../src/rest/budgets.ts';
import { emptyLists, openAccess, serve, type Served, taskId } from './double.ts';

/** What waits for an answer is bounded; src/rest/bounds.ts. The queue answers nothing here: its database hangs. */
let served: Served;
let end: () => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  // One client may take all of it here: budgets.test.ts covers its share.
  served = await serve({ access: { ...openAccess, clientShare: 1 } });
  const hanging = Promise.withResolvers<never>();
  hanging.promise.catch(() => {});
  end = () => hanging.reject(new Error('over'));
  served.queue.push = () => hanging.promise;
  served.queue.get = () => hanging.promise;
});
afterEach(async () => {
  end();
  for (const socket of sockets.splice(0)) socket.destroy();
  await served.server.close();
});

const json = { 'content-type': 'application/json' };
const statusOf = async (path: string, init: RequestInit = {}) => (await fetch(served.url + path, init)).status;
const pop = () => statusOf('/schedulers/boefje/pop', { method: 'POST', headers: json, body: '{"filters":[]}' });

/** Requests on one connection: a client need not wait for one answer before it asks again. */
function pipeline(path: string, count: number): void {
  const { hostname, port } = new URL(served.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  sockets.push(socket);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`.repeat(count));
}

test('what fills the line of all others takes no place from pops, and health is not refused', async () => {
  let waiting = 0;
  const { get } = served.queue;
  served.queue.get = () => ((waiting += 1), get.call(served.queue));
  for (let clients = 0; clients < 10; clients += 1) pipeline(`/tasks/${taskId}`, 1_000);
  await expect.poll(() => waiting, { timeout: 30_000 }).toBe(10_000);
  expect(await statusOf(`/tasks/${taskId}`)).toBe(503);
  expect(await pop()).toBe(200);
  expect(await Promise.all(['/health', '/ready', '/metrics'].map((path) => statusOf(path)))).toEqual([200, 200, 200]);
}, 60_000);

describe('bodies that wait are bounded by their bytes', () => {
  const body = (bytes: number) =>
    JSON.stringify({
      scheduler_id: 'report',
      organisation: 'aa',
      priority: 1,
      data: { organisation_id: 'aa', report_recipe_id: 'x'.repeat(bytes) },
    });
  const asStream = (text: string) => new Blob([text]).stream();

  test.each([
    ['that come with their length', (text: string) => ({ body: text })],
    ['that come in chunks, without a length', (text: string) => ({ body: asStream(text), duplex: 'half' as const })],
  ])('%s', async (_what, sent) => {
    const push = async () => {
      const init = { method: 'POST', headers: json, ...sent(body(1_900_000)) };
      return (await (await fetch(`${served.url}/schedulers/report/push`, init)).text()).includes('in flight already');
    };
    // 16 MiB: the ninth has no room, and is refused at once.
    const refused = Array.from({ length: 9 }, push);
    await expect(Promise.any(refused.map(async (one) => (await one) || Promise.reject()))).resolves.toBe(true);
    expect(await pop()).toBe(200);
    end();
    expect((await Promise.all(refused)).filter(Boolean)).toHaveLength(1);
  });
});

describe('a body is refused before it is read', () => {
  test.each([
    ['GET', '/health'],
    ['GET', '/schedulers'],
    ['DELETE', `/schedules/${taskId}`],
    ['POST', '/login'],
  ])('%s %s of 2 MB', async (method, path) => {
    await served.server.close();
    const tokens = readTokens({ SCHEDULER_API_TOKENS: someone.line });
    served = await serve({ access: { ...openAccess, tokens } });
    const { port, hostname } = new URL(served.url);
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    // The length alone: what answers now has waited for no body.
    const headers = `host: 127.0.0.1\r\nauthorization: Bearer ${someone.token}\r\ncontent-length: 2000000`;
    socket.write(`${method} ${path} HTTP/1.1\r\n${headers}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
  });

  const someone = newToken('someone', 'operate');

  test('where others have not arrived yet, and its place is free again once they have gone', async () => {
    const { port, hostname } = new URL(served.url);
    const head = 'POST /tasks HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2000000\r\n\r\n{';
    const trickling = Array.from({ length: 8 }, () => connect(Number(port), hostname));
    for (const socket of trickling) socket.write(head);
    sockets.push(...trickling);
    const large = () => statusOf('/tasks', { method: 'POST', headers: json, body: `{"x":"${'x'.repeat(1_900_000)}"}` });
    await expect.poll(large).toBe(503);
    for (const socket of trickling) socket.destroy();
    await expect.poll(large).toBe(422);
  });
});

test('what waits in a pipeline whose connection ends gives its place back, once the work for it is over', async () => {
  await served.server.close();
  served = await serve({ access: { ...openAccess, clientShare: 5 / budgets.inFlight } });
  const hanging = Promise.withResolvers<string>();
  let asked = 0;
  served.queue.get = () => ((asked += 1), hanging.promise);
  pipeline(`/tasks/${taskId}`, 5);
  await expect.poll(() => asked).toBe(5);
  sockets[0]!.destroy();
  // Their handlers hold them still: what they have in memory is there.
  await setTimeout(100);
  expect(await statusOf(`/tasks/${taskId}`)).toBe(503);
  hanging.resolve('{}');
  await expect.poll(() => statusOf(`/tasks/${taskId}`)).toBe(200);
  const five = Array.from({ length: 5 }, () => statusOf(`/tasks/${taskId}`));
  expect(await Promise.all(five)).toEqual([200, 200, 200, 200, 200]);
});

test('an answer whose client has left takes no room', async () => {
  await served.server.close();
  let lists: PromiseWithResolvers<void> | null = Promise.withResolvers<void>();
  let asked = 0;
  const results = JSON.stringify('x'.repeat(8 * 1024 * 1024));
  const tasks = async () => {
    asked += 1;
    await lists?.promise;
    return { count: 1, partial: false, cutAt: null, results };
  };
  served = await serve({ lists: { ...emptyLists, tasks }, access: { ...openAccess, clientShare: 1 } });
  const { port, hostname } = new URL(served.url);
  for (let round = 1; round <= 9; round += 1) {
    lists = Promise.withResolvers<void>();
    const socket = connect(Number(port), hostname);
    socket.write('GET /tasks HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    await expect.poll(() => asked).toBe(round);
    socket.resetAndDestroy();
    // The server has seen its end by then: it answers on another connection.
    await setTimeout(20);
    expect(await statusOf('/health')).toBe(200);
    lists.resolve();
    await setTimeout(20);
  }
  lists = null;
  expect(await statusOf('/tasks')).toBe(200);
});

test('answers that no client reads are bounded by their bytes', async () => {
  await served.server.close();
  const results = JSON.stringify('x'.repeat(8 * 1024 * 1024));
  const tasks = () => Promise.resolve({ count: 1, partial: false, cutAt: null, results });
  served = await serve({ lists: { ...emptyLists, tasks }, access: { ...openAccess, clientShare: 1 } });
  const { port, hostname } = new URL(served.url);
  const deaf = Array.from({ length: 7 }, () => connect(Number(port), hostname).pause());
  sockets.push(...deaf);
  for (const socket of deaf) socket.write('GET /tasks HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  await Promise.all(deaf.map((socket) => once(socket, 'readable')));
  const response = await fetch(`${served.url}/tasks`);
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await response.text()).toMatch(/SCHEDULER_API_CLIENT_SHARE/);
  expect(await statusOf('/health')).toBe(200);
  for (const socket of deaf) socket.destroy();
  await expect.poll(() => statusOf('/tasks')).toBe(200);
});

test(
  'a request whose headers do not come to an end is cut off after some 10 s, not after a minute',
  { timeout: 30_000 },
  async () => {
    const { url } = served;
    const { port, hostname } = new URL(url);
    const began = performance.now();
    const socket = connect(Number(port), hostname, () => socket.write('GET /tasks HTTP/1.1\r\nHost: x\r\n'));
    socket.resume();
    await once(socket, 'close');
    expect(performance.now() - began).toBeLessThan(20_000);
  },
);
