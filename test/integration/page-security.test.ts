import { once } from 'node:events';
import { connect as connectTo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { actions } from '../../src/page/actions/actions.ts';
import { views } from '../../src/page/views/views.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { ask, fromUs, logIn, tokensFor } from '../support/page.ts';
import { startProxy } from '../support/proxy.ts';
import { boefjeTask } from '../support/wire.ts';

const { lines, of } = tokensFor({ ops: 'operate', wall: 'read', runner: 'work' });

let hand: RotaAtHand;
let url: string;
let sessions: Readonly<Record<keyof typeof of, string>>;

beforeAll(async () => {
  hand = await startRotaAtHand({ SCHEDULER_PAGE_PORT: '0', SCHEDULER_API_TOKENS: lines });
  url = hand.rota.page!;
  sessions = { ops: await logIn(url, of.ops), wall: await logIn(url, of.wall), runner: await logIn(url, of.runner) };
});
afterAll(() => hand.stop());

/** An address of each page: a page that is not here has no decision about who may see it. */
const addresses: Readonly<Record<string, string>> = {
  '/': '/',
  '/tasks': '/tasks?status=failed',
  '/tasks/:id': '/tasks/00000000-0000-4000-8000-000000000000',
  '/jobs/:id': '/jobs/00000000-0000-4000-8000-000000000000',
  '/search': '/search?q=org-1',
  '/machinery': '/machinery',
  '/why': '/why',
  '/organisations': '/organisations',
  '/organisations/:code': '/organisations/org-1',
  '/schedules': '/schedules',
  '/schedules/:id': '/schedules/00000000-0000-4000-8000-000000000000',
};

describe('each page', () => {
  test('is in the table of this test', () => {
    expect(Object.keys(addresses).toSorted()).toEqual(Object.keys(views).toSorted());
  });

  test.each(Object.values(addresses))('%s asks who has no session to log in', async (path) => {
    const answer = await ask(url, path);
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toMatch(/^\/login/);
    expect(answer.body).toBe('');
    expect((await ask(url, path, { method: 'POST', headers: fromUs })).status).toBe(401);
  });

  test.each(Object.values(addresses))('%s is seen by each role, and only who operates has buttons', async (path) => {
    for (const name of ['ops', 'wall', 'runner'] as const) {
      const { status, body } = await ask(url, path, { headers: { cookie: sessions[name] } });
      expect(status).toBeLessThan(500);
      if (name !== 'ops') expect(body).not.toContain('action="/do/');
    }
  });
});

/** What everybody may reach: nothing of a task, an organisation or a supervisor stands there. */
test('nothing else is open but the log-in, the browser’s files and robots.txt', async () => {
  expect((await ask(url, '/login')).status).toBe(200);
  expect((await ask(url, '/robots.txt')).body).toContain('Disallow: /');
  for (const path of ['/live?at=/', '/do/pause', '/nowhere', '/theme', '/assets', '/health', '/metrics', '/docs'])
    expect([303, 401]).toContain((await ask(url, path)).status);
});

describe('each action', () => {
  const post = (action: string, cookie: string | null, body: Readonly<Record<string, string>>) =>
    ask(url, `/do/${action}`, { method: 'POST', headers: { ...fromUs, ...(cookie === null ? {} : { cookie }) }, body });

  test.each(Object.keys(actions))('%s is done for nobody but who operates', async (action) => {
    expect((await post(action, null, {})).status).toBe(401);
    expect((await post(action, 'rota_page=forged', {})).status).toBe(401);
    for (const name of ['wall', 'runner'] as const) expect((await post(action, sessions[name], {})).status).toBe(403);
    // GET and a page of another site do not even come that far.
    expect((await ask(url, `/do/${action}`, { headers: { cookie: sessions.ops } })).status).toBe(404);
    const foreign = { cookie: sessions.ops, 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' };
    expect((await ask(url, `/do/${action}`, { method: 'POST', headers: foreign, body: {} })).status).toBe(403);
  });

  test.each(Object.keys(actions))('%s refuses an empty form in a sentence, never with a fault', async (action) => {
    const answer = await post(action, sessions.ops, {});
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).not.toContain('a fault in the page');
  });

  test('pause asks first, does what was asked and nothing else, and is undone', async () => {
    await hand.client.push('boefje', boefjeTask('org-1', 'Hostname|internet|a'));
    const fields = { scheduler: 'boefje', organisation: 'org-1', back: '/' };
    const asked = await post('pause', sessions.ops, fields);
    expect(asked.status).toBe(200);
    const [, seal] = /name="seal" value="([^"]+)"/.exec(asked.body)!;
    // The seal is of this session, and of these fields.
    for (const changed of [{ organisation: 'org-2' }, { scheduler: 'report' }, { seal: `${seal}x` }]) {
      const again = await post('pause', sessions.ops, { ...fields, seal: seal!, ...changed });
      expect([again.status, again.headers.location]).toEqual([200, undefined]);
    }
    const { results: none } = await hand.client.ctl<{ results: unknown[] }>('pauses', {});
    expect(none).toEqual([]);
    const done = await post('pause', sessions.ops, { ...fields, seal: seal!, note: '<b>why</b>' });
    expect([done.status, done.headers.location]).toEqual([303, '/']);
    const { results } = await hand.client.ctl<{ results: { paused_by: string; note: string }[] }>('pauses', {});
    expect(results).toMatchObject([{ paused_by: 'ops', note: '<b>why</b>' }]);
    const shown = await ask(url, '/', { headers: { cookie: sessions.wall } });
    expect(shown.body).toContain('&lt;b&gt;why&lt;/b&gt;');
    expect((await post('resume', sessions.ops, fields)).status).toBe(303);
  });
});

describe('in an outage', () => {
  async function behind(service: 'postgresUrl' | 'natsUrl') {
    const whole = new URL(service === 'natsUrl' ? inject('natsUrl') : hand.databaseUrl);
    const proxy = await startProxy({ port: Number(whole.port) });
    whole.port = String(proxy.port);
    const other = await startRotaAtHand({
      [service === 'natsUrl' ? 'NATS_URL' : 'SCHEDULER_DB_URI']: whole.href,
      SCHEDULER_PAGE_PORT: '0',
      SCHEDULER_API_TOKENS: lines,
    });
    onTestFinished(async () => {
      proxy.up();
      await other.stop();
      await proxy.stop();
    });
    const cookie = await logIn(other.rota.page!, of.wall);
    const look = async () => {
      const from = performance.now();
      const { status, body } = await ask(other.rota.page!, '/', { headers: { cookie } });
      return { status, body, ms: performance.now() - from };
    };
    await look();
    return { proxy, look };
  }

  test('the database is away: pages come within 3 s with what supervisors know, and say what is missing', async () => {
    const { proxy, look } = await behind('postgresUrl');
    proxy.silenceAll();
    // What is a second old is still shown.
    const body = await vi.waitFor(
      async () => {
        const seen = await look();
        expect(seen.status).toBe(200);
        expect(seen.ms).toBeLessThan(4_500);
        expect(seen.body).toMatch(/pauses[^]*are unknown: /);
        return seen.body;
      },
      { timeout: 15_000, interval: 200 },
    );
    expect(body).toContain('boefje');
    expect(body).toContain('no answer within 3 s');
  });

  test('NATS is away: a supervisor’s page has all of that supervisor', async () => {
    const { proxy, look } = await behind('natsUrl');
    proxy.down();
    const { status, body, ms } = await look();
    expect(status).toBe(200);
    expect(ms).toBeLessThan(4_000);
    expect(body).toContain('boefje');
    expect(body).not.toContain('class="failed"');
  });
});

describe('a client that does not go on', () => {
  test('half a request ends', async () => {
    const socket = connectTo(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const head = ['POST /login HTTP/1.1', 'host: 127.0.0.1', 'sec-fetch-site: same-origin', 'content-length: 100'];
    socket.write(`${head.join('\r\n')}\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\ntoken=`);
    const began = performance.now();
    await once(socket.resume(), 'close');
    expect(performance.now() - began).toBeLessThan(30_000);
  });
});
