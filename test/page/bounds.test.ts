import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Sessions } from '../../src/page/session.ts';
import { ask, logIn, open, pageAccess, quietAnswer, startPageAlone, tokensFor } from '../support/page.ts';

const { tokens, of } = tokensFor({ ops: 'operate', wall: 'read' });

/** Sessions of one token: each log-in gives another cookie, from another second on. */
function cookiesOf(token: string, many: number): readonly string[] {
  return Array.from({ length: many }, (_, at) => {
    const { cookie } = new Sessions(pageAccess({ tokens }), () => Date.now() + at * 1_000).logIn(token)!;
    return `rota_page_test=${cookie}`;
  });
}

/** A page of which one command does not answer until the test says so: its part is given up after 3 s. */
async function hanging() {
  const answered = Promise.withResolvers<void>();
  onTestFinished(() => answered.resolve());
  const running = { now: 0, most: 0 };
  const { url } = await startPageAlone({
    access: { tokens },
    ask: async (name) => {
      if (name !== 'audit') return quietAnswer(name);
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      await answered.promise;
      running.now -= 1;
      return quietAnswer(name);
    },
  });
  return { url, running, answered };
}

test('one token has 48 requests in flight in however many sessions, and another has its own', async () => {
  const { url, answered } = await hanging();
  const sessions = cookiesOf(of.ops, 9);
  const statuses: number[] = [];
  const asked = sessions.flatMap((cookie) =>
    Array.from({ length: 14 }, async () => statuses.push((await ask(url, '/', { headers: { cookie } })).status)),
  );
  await expect.poll(() => statuses.filter((status) => status === 429).length, { timeout: 10_000 }).toBe(9 * 14 - 48);
  const wall = await logIn(url, of.wall);
  const theirs = ask(url, '/', { headers: { cookie: wall } });
  answered.resolve();
  expect((await theirs).status).toBe(200);
  await Promise.all(asked);
  expect(statuses.filter((status) => status === 200)).toHaveLength(48);
});

test('who hangs up has its place until the work is done', async () => {
  const { url, running, answered } = await hanging();
  const [cookie] = cookiesOf(of.ops, 1);
  for (let at = 0; at < 16; at++) {
    const { hostname, port } = new URL(url);
    const sent = request({ host: hostname, port, path: '/', agent: false, headers: { cookie } });
    const closed = new Promise((done) => sent.on('error', () => {}).once('close', done));
    const before = running.now;
    sent.end();
    await expect.poll(() => running.now, { interval: 5 }).toBeGreaterThan(before);
    sent.destroy();
    await closed;
  }
  const most = running.most;
  expect((await ask(url, '/', { headers: { cookie: cookie! } })).status).toBe(429);
  expect(running.most).toBe(most);
  answered.resolve();
  await expect.poll(async () => (await ask(url, '/', { headers: { cookie: cookie! } })).status).toBe(200);
});

test('a page that was given up has its place until its work is over', { timeout: 30_000 }, async () => {
  const answered = Promise.withResolvers<void>();
  onTestFinished(() => answered.resolve());
  const { url } = await startPageAlone({
    access: { tokens },
    ask: async (name) => {
      if (name === 'tasks') await answered.promise;
      return quietAnswer(name);
    },
  });
  const [cookie] = cookiesOf(of.ops, 1);
  const statusOf = async () => (await ask(url, '/tasks', { headers: { cookie: cookie! } })).status;
  const given = await Promise.all(Array.from({ length: 16 }, statusOf));
  expect(new Set(given)).toEqual(new Set([503]));
  expect(await statusOf()).toBe(429);
  answered.resolve();
  await expect.poll(statusOf).not.toBe(429);
});

test(
  'one token has 2 400 requests a minute in however many sessions, and another goes on',
  { timeout: 60_000 },
  async () => {
    const { url } = await startPageAlone({ access: { tokens }, ask: quietAnswer });
    const wall = await logIn(url, of.wall);
    let refused = 0;
    for (const cookie of cookiesOf(of.ops, 5)) {
      for (let at = 0; at < 500; at += 25) {
        const answers = Array.from({ length: 25 }, () => ask(url, '/nowhere', { headers: { cookie } }));
        refused += (await Promise.all(answers)).filter(({ status }) => status === 429).length;
      }
    }
    expect(refused).toBe(100);
    expect((await ask(url, '/nowhere', { headers: { cookie: wall } })).status).toBe(404);
  },
);

test('one token begins forty watches in however many sessions, and another begins its own', async () => {
  const { url } = await startPageAlone({ access: { tokens }, ask: quietAnswer });
  const statuses: (number | undefined)[] = [];
  const stream = async (cookie: string, at: string) => {
    const response = await open(url, `/live?at=${encodeURIComponent(at)}`, { headers: { cookie } });
    onTestFinished(() => void response.destroy());
    return response.statusCode;
  };
  for (const [session, cookie] of cookiesOf(of.ops, 11).entries()) {
    for (let tab = 0; tab < 4; tab++) statuses.push(await stream(cookie, `/?x=${session}-${tab}`));
  }
  expect(statuses.filter((status) => status === 200)).toHaveLength(40);
  expect(await stream(await logIn(url, of.wall), '/?x=other')).toBe(200);
});

test.each([
  ['an address has 200 connections, so that another is let in', [], 200],
  ['behind a proxy all people may come from one address', ['https://rota.example'], 230],
])('%s', async (_name, publicUrls, most) => {
  const { url } = await startPageAlone({ access: { tokens, publicUrls }, ask: quietAnswer });
  let isOpen = 0;
  const sockets: Socket[] = [];
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
  for (let at = 0; at < 230; at++) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    isOpen += 1;
    socket.resume().once('close', () => (isOpen -= 1));
  }
  await expect.poll(() => isOpen).toBe(most);
});
