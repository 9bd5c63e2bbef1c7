import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import { html } from '../../src/page/html.ts';
import { LiveStreams } from '../../src/page/live.ts';
import { Sessions } from '../../src/page/session.ts';
import { ask, keepingLog, logIn, open, pageAccess, quietAnswer, startPageAlone, tokensFor } from '../support/page.ts';

const { tokens, of } = tokensFor({ ops: 'operate', wall: 'read' });

interface Event {
  readonly event: string;
  readonly data: { readonly now?: number; readonly sections?: Readonly<Record<string, string>> };
}

/** Reads events as a browser does; the stream ends with the test. */
function eventsOf(response: IncomingMessage): { next(): Promise<Event>; readonly response: IncomingMessage } {
  onTestFinished(() => void response.destroy());
  response.setEncoding('utf8');
  const events = (async function* () {
    let text = '';
    for await (const chunk of response) {
      text += chunk as string;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (event !== undefined) yield { event, data: JSON.parse(data!) as Event['data'] };
      }
    }
  })();
  return {
    response,
    async next() {
      const { value, done } = await events.next();
      return done === true ? { event: 'closed', data: {} } : value;
    },
  };
}

async function started(answer: (name: string) => Promise<unknown> = quietAnswer) {
  const asked: string[] = [];
  const { log, lines } = keepingLog();
  const { url, server } = await startPageAlone({
    access: { tokens },
    log,
    ask: async (name) => {
      asked.push(name);
      return answer(name);
    },
  });
  const stream = async (cookie: string, at: string) =>
    open(url, `/live?at=${encodeURIComponent(at)}`, { headers: { cookie } });
  return { url, server, asked, lines, stream };
}

describe('a live page', () => {
  test('comes as its sections, then as those that changed, at the time of the server', async () => {
    let entry = 'first';
    const { url, stream } = await started(async (name) =>
      name === 'audit'
        ? {
            results: [
              {
                id: '1',
                at: '2026-11-01T00:00:00Z',
                by: entry,
                command: 'pause',
                organisation: null,
                fields: {},
                refused: null,
              },
            ],
          }
        : quietAnswer(name),
    );
    const events = eventsOf(await stream(await logIn(url, of.wall), '/'));
    const { event, data } = await events.next();
    expect(event).toBe('live');
    expect(Object.keys(data.sections!)).toEqual(['verdict', 'work', 'waits', 'people', 'trouble']);
    expect(Math.abs(data.now! - Date.now())).toBeLessThan(5_000);
    expect((await events.next()).data.sections).toBeUndefined();
    entry = 'second';
    const changed = (await events.next()).data.sections!;
    expect(Object.keys(changed)).toEqual(['people']);
    expect(changed['people']).toContain('second');
  });

  test('is looked at once for all who look, and not at all once nobody does', async () => {
    const { url, stream, asked } = await started();
    const [first, second] = await Promise.all([logIn(url, of.wall), logIn(url, of.wall)]);
    const streams = [];
    for (const cookie of [first, first, first, second, second]) streams.push(eventsOf(await stream(cookie, '/')));
    await Promise.all(streams.map((events) => events.next()));
    asked.length = 0;
    await Promise.all(streams.map(async (events) => (await events.next(), events.next())));
    expect(asked.filter((name) => name === 'status').length).toBeLessThanOrEqual(3);
    for (const { response } of streams) response.destroy();
    await expect
      .poll(async () => (asked.splice(0), await new Promise((done) => setTimeout(done, 1_500)), asked))
      .toEqual([]);
  });

  test('of another role is another', async () => {
    const pause = {
      scheduler: 'boefje',
      organisation: null,
      boefje: null,
      paused_by: 'x',
      since: '2026-11-01T00:00:00Z',
    };
    const { url, stream } = await started(async (name) =>
      name === 'pauses' ? { results: [{ ...pause, note: null, tasks: 0 }] } : quietAnswer(name),
    );
    const operates = (await eventsOf(await stream(await logIn(url, of.ops), '/')).next()).data.sections!['verdict'];
    const reads = (await eventsOf(await stream(await logIn(url, of.wall), '/')).next()).data.sections!['verdict'];
    expect(operates).toContain('<form method="post" action="/do/resume">');
    expect(reads).not.toContain('<form');
  });

  test('that fails is stale, and comes again', async () => {
    let isBroken = true;
    const { url } = await startPageAlone({
      access: { tokens },
      ask: (name) => (isBroken ? Promise.reject(new Error('away')) : quietAnswer(name)),
    });
    const events = eventsOf(await open(url, '/live?at=%2F', { headers: { cookie: await logIn(url, of.wall) } }));
    expect((await events.next()).event).toBe('stale');
    isBroken = false;
    expect((await events.next()).event).toBe('live');
  });
});

describe('what may be looked at', () => {
  test.each(['/live?at=/', '/live', '/login', '/robots.txt', '/nowhere', '/do/pause', '/%ff', '/assets/x'])(
    '%s is no page: it is stale, and opens nothing else',
    async (at) => {
      const { url, stream, lines } = await started();
      const events = eventsOf(await stream(await logIn(url, of.ops), at));
      expect((await events.next()).event).toBe('stale');
      expect(lines).toEqual([]);
    },
  );

  test.each(['//evil.example', '/\\evil.example', 'http://evil.example/', 'x', '', `/${'a'.repeat(5_000)}`])(
    '%# is refused as an address',
    async (at) => {
      const { url } = await started();
      const headers = { cookie: await logIn(url, of.ops) };
      expect((await ask(url, `/live?at=${encodeURIComponent(at)}`, { headers })).status).toBe(422);
    },
  );

  test('no header of a client makes a request one of a watch', async () => {
    const { url } = await started();
    for (const value of ['operate', '.operate', 'undefined.operate', 'x.read'])
      expect((await ask(url, '/', { headers: { 'x-rota-watch': value } })).status).toBe(303);
  });

  test('without a session there is no stream', async () => {
    const { url } = await started();
    expect((await ask(url, '/live?at=%2F')).status).toBe(401);
    expect((await ask(url, '/', { headers: { 'x-part': 'live' } })).status).toBe(401);
  });
});

describe('bounds', () => {
  test('a session has four streams, which leaves a browser connections for pages, and another session has its own', async () => {
    const { url, stream } = await started();
    const [one, other] = await Promise.all([logIn(url, of.ops), logIn(url, of.wall)]);
    for (let at = 0; at < 4; at++) eventsOf(await stream(one, `/?x=${at}`));
    expect((await ask(url, '/live?at=%2F', { headers: { cookie: one } })).status).toBe(429);
    expect((await eventsOf(await stream(other, '/')).next()).event).toBe('live');
  });

  test('a log-out ends the streams of that session at once, and no others', async () => {
    const { url, stream } = await started();
    const [one, other] = await Promise.all([logIn(url, of.ops), logIn(url, of.ops)]);
    const [mine, another] = [eventsOf(await stream(one, '/')), eventsOf(await stream(other, '/'))];
    expect([(await mine.next()).event, (await another.next()).event]).toEqual(['live', 'live']);
    await ask(url, '/logout', { method: 'POST', headers: { cookie: one, 'sec-fetch-site': 'same-origin' } });
    let last = await mine.next();
    while (last.event === 'live') last = await mine.next();
    expect(last.event).toBe('logout');
    expect((await ask(url, '/live?at=%2F', { headers: { cookie: one } })).status).toBe(401);
    expect((await another.next()).event).toBe('live');
  });

  test('a token has a hundred, in however many sessions', { timeout: 90_000 }, async () => {
    const clock = { now: Date.now() };
    const { url } = await startPageAlone({
      access: { tokens },
      now: () => clock.now,
      ask: async () => ({ results: [] }),
    });
    const other = await logIn(url, of.ops);
    let [opened, refused] = [0, 0];
    for (let at = 0; at < 27; at++) {
      // Another second, another cookie: a log-in each would be too many from one address.
      const { cookie: value } = new Sessions(pageAccess({ tokens }), () => clock.now + at * 1_000).logIn(of.wall)!;
      const cookie = `rota_page_test=${value}`;
      for (let tab = 0; tab < 4; tab++) {
        const response = await open(url, '/live?at=%2F', { headers: { cookie } });
        onTestFinished(() => void response.destroy());
        if (response.statusCode === 200) opened += 1;
        else refused += 1;
      }
    }
    expect([opened, refused]).toEqual([100, 8]);
    eventsOf(await open(url, '/live?at=%2F', { headers: { cookie: other } }));
  });

  test('opening and leaving again begins no more looks than a session may have', async () => {
    const never = Promise.withResolvers<unknown>();
    onTestFinished(() => never.resolve({ results: [] }));
    const { url, asked, stream } = await started((name) => (name === 'audit' ? never.promise : quietAnswer(name)));
    const cookie = await logIn(url, of.ops);
    let refused = 0;
    for (let at = 0; at < 40; at++) {
      const response = await stream(cookie, `/?x=${at}`);
      if (response.statusCode === 429) refused += 1;
      response.destroy();
    }
    expect(refused).toBeGreaterThanOrEqual(28);
    expect(asked.filter((name) => name === 'audit').length).toBeLessThanOrEqual(12);
  });

  test('a stream that is not read gets nothing more, and is cut off', async () => {
    const app = fastify();
    onTestFinished(() => app.close());
    let looks = 0;
    const section = () => ({ a: html`${`${(looks += 1)}${'x'.repeat(1_000_000)}`}` });
    const pageAt = async () => ({ title: '', liveMs: 10, sections: section() });
    const streams = new LiveStreams(app, { now: () => 0, log: keepingLog().log, giveUpMs: 300, pageAt });
    withStreams(app, streams);
    const { port } = new URL(await app.listen());
    const socket = connect(Number(port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    socket.pause();
    socket.write('GET /live?at=%2F HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    await expect.poll(() => streams.size.streams).toBe(1);
    await expect.poll(() => streams.size).toEqual({ watches: 0, streams: 0 });
    // Each look is 1 MB: had all been kept for it, there would be one for each 10 ms.
    expect(socket.bytesRead).toBeLessThan(20_000_000);
  });

  test('a page at which nothing moves is looked at half as often, and as before when something does', async () => {
    const app = fastify();
    onTestFinished(() => app.close());
    let [looks, moves] = [0, false];
    const looked: number[] = [];
    const pageAt = async () => {
      looked.push(performance.now());
      looks += 1;
      return { title: '', liveMs: 200, sections: { a: html`${moves ? looks : 'same'}` } };
    };
    withStreams(app, new LiveStreams(app, { now: () => 0, log: keepingLog().log, pageAt }));
    eventsOf(await open(await app.listen(), '/live?at=%2F'));
    await expect.poll(() => looks).toBeGreaterThanOrEqual(4);
    const between = () => looked.at(-1)! - looked.at(-2)!;
    expect(between()).toBeGreaterThan(390);
    moves = true;
    await expect
      .poll(() => (looks > 6 ? Math.min(...looked.slice(5).map((at, n) => at - looked[n + 4]!)) : 999))
      .toBeLessThan(390);
  });

  test('a page with nothing more to come says so, and ends', async () => {
    const app = fastify();
    onTestFinished(() => app.close());
    const pageAt = async () => ({ title: '', sections: { a: html`all` } });
    const streams = new LiveStreams(app, { now: () => 0, log: keepingLog().log, pageAt });
    withStreams(app, streams);
    const events = eventsOf(await open(await app.listen(), '/live?at=%2F'));
    expect((await events.next()).data.sections).toEqual({ a: 'all' });
    expect((await events.next()).event).toBe('end');
    expect((await events.next()).event).toBe('closed');
    expect(streams.size).toEqual({ watches: 0, streams: 0 });
  });
});

/** Nothing but streams, without a log-in. */
function withStreams(app: FastifyInstance, streams: LiveStreams): void {
  app.decorateRequest('session', null);
  app.decorateRequest('viewer', '');
  app.addHook('onRequest', async (request) => {
    request.session = { name: 'x', access: 'read' };
    request.viewer = 'x';
  });
  streams.routes();
}

describe('the end of the server', () => {
  test('says bye, and waits neither for streams nor for who does not read', async () => {
    const { url, server, stream } = await started();
    const cookie = await logIn(url, of.ops);
    const events = eventsOf(await stream(cookie, '/'));
    await events.next();
    const deaf = await stream(cookie, '/?x=1');
    deaf.pause();
    const half = connect(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => (deaf.destroy(), void half.destroy()));
    half.write('POST /login HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\nt');
    const began = performance.now();
    await server.close();
    expect(performance.now() - began).toBeLessThan(4_000);
    const left = [];
    for (let event = await events.next(); event.event !== 'closed'; event = await events.next()) left.push(event.event);
    expect(left.at(-1)).toBe('bye');
  });
});
