import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAccess, serve, type Served, taskId } from './double.ts';

/** What waits for an answer is bounded; src/rest/bounds.ts. The queue answers nothing here: its database hangs. */
let served: Served;
let end: () => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  // One client has all of it here: its share is told in budgets.test.ts.
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
  socket.write(`GET ${path} HTTP/1.1\r\nhost: rota\r\n\r\n`.repeat(count));
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
    ['that come in chunks, and tell none', (text: string) => ({ body: asStream(text), duplex: 'half' as const })],
  ])('%s', async (_what, sent) => {
    const push = async () => {
      const init = { method: 'POST', headers: json, ...sent(body(1_900_000)) };
      return (await (await fetch(`${served.url}/schedulers/report/push`, init)).text()).includes('wait already');
    };
    // 16 MiB: the ninth has no room, and hears so at once.
    const refused = Array.from({ length: 9 }, push);
    await expect(Promise.any(refused.map(async (one) => (await one) || Promise.reject()))).resolves.toBe(true);
    expect(await pop()).toBe(200);
    end();
    expect((await Promise.all(refused)).filter(Boolean)).toHaveLength(1);
  });
});
