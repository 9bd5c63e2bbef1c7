import { afterEach, describe, expect, test } from 'vitest';
import { request } from 'node:http';
import { newToken, readTokens } from '../../src/api-tokens.ts';
import { emptyLists, openAccess, serve, type Served } from './double.ts';

let served: Served;

afterEach(() => served.server.close());

interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** fetch would not send a Host or an Origin of our choice. */
function ask(method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const asked = request(served.url + path, { method, headers }, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const pop = '/schedulers/boefje/pop';
const json = { 'content-type': 'application/json' };

describe('a write that a page of another origin makes a browser send', () => {
  test.each<[string, Record<string, string>, string, number]>([
    ['a form', { origin: 'http://evil.example', 'content-type': 'text/plain' }, '{}', 403],
    ['one without a body', { origin: 'http://evil.example' }, '', 403],
    ['a Blob without a type', { origin: 'http://evil.example' }, 'null', 403],
    ['of a frame without an origin', { origin: 'null', ...json }, 'null', 403],
    ['that does not say from where', { 'sec-fetch-site': 'cross-site' }, '', 403],
    ['of a sister domain', { 'sec-fetch-site': 'same-site', ...json }, 'null', 403],
    ['of a name that was bound to our address', { origin: 'http://evil.example', host: 'evil.example' }, '', 421],
    ['a type that no script is asked about', { 'content-type': 'text/plain' }, '', 415],
    ['a type of forms', { 'content-type': 'application/x-www-form-urlencoded' }, '', 415],
    ['a text, as mula refuses it', { 'content-type': 'text/plain' }, '{"filters":[]}', 422],
  ])('%s is refused, and nothing is popped', async (_what, headers, body, status) => {
    served = await serve();
    expect(await ask('POST', pop, headers, body)).toMatchObject({ status });
    expect(served.queue.pops).toEqual([]);
  });

  test.each<[string, Record<string, string>, string]>([
    ['httpx without a body', {}, ''],
    ['httpx with content=', {}, 'null'],
    ['httpx with json=', json, 'null'],
    ['a type with parameters', { 'content-type': 'Application/JSON; charset=utf-8' }, 'null'],
  ])('KAT’s clients pop: %s', async (_what, headers, body) => {
    served = await serve();
    expect(await ask('POST', pop, headers, body)).toMatchObject({ status: 200 });
  });

  test('our own page writes, and that of a configured URL', async () => {
    const publicUrls = ['https://kat.example/scheduler', 'http://scheduler:8000'];
    served = await serve({ access: { ...openAccess, publicUrls } });
    const { port } = new URL(served.url);
    for (const [origin, host] of [
      [served.url, new URL(served.url).host],
      [`http://localhost:${port}`, `localhost:${port}`],
      ['https://kat.example', 'scheduler:8000'],
    ]) {
      expect(await ask('POST', pop, { ...json, origin: origin!, host: host! }, 'null')).toMatchObject({ status: 200 });
    }
  });
});

describe('Host', () => {
  const page = { count: 45, partial: false, cutAt: null, results: '[]' };
  const lists = { ...emptyLists, tasks: () => Promise.resolve(page) };
  const nextFor = async (host: string) => {
    const { text } = await ask('GET', '/tasks?limit=5', { host });
    return (JSON.parse(text) as { next: string }).next;
  };

  const everywhere = { ...openAccess, listens: '0.0.0.0' };

  test.each([
    ['on loopback', openAccess],
    ['of configured names', { ...everywhere, publicUrls: ['https://kat.example'] }],
  ])('a name that was bound to our address reads nothing without a token: %s', async (_where, access) => {
    served = await serve({ lists, access });
    for (const path of ['/tasks', '/health', '/docs', '/nope']) {
      expect(await ask('GET', path, { host: 'evil.example' })).toMatchObject({ status: 421 });
      expect(await ask('GET', path, { host: 'localhost:1' })).not.toMatchObject({ status: 421 });
    }
  });

  test('a container’s name for us is served where none is configured, and with a token anywhere', async () => {
    served = await serve({ lists, access: everywhere });
    expect(await ask('GET', '/tasks', { host: 'scheduler:8000' })).toMatchObject({ status: 200 });
    await served.server.close();
    const { line, token } = newToken('a', 'read');
    served = await serve({ lists, access: { ...openAccess, tokens: readTokens({ SCHEDULER_API_TOKENS: line }) } });
    const headers = { host: 'scheduler:8000', authorization: `Bearer ${token}` };
    expect(await ask('GET', '/tasks', headers)).toMatchObject({ status: 200 });
  });

  test.each(['evil.example', 'scheduler:8000', 'evil.example:80@127.0.0.1', '127.0.0.1.evil.example', 'a/b', '[::1]x'])(
    'a name that is none of ours is in no link and no redirect: %s',
    async (host) => {
      served = await serve({ lists, access: everywhere });
      expect(await nextFor(host)).toBe('/tasks?limit=5&offset=5');
      const { headers } = await ask('GET', '/tasks/?limit=5', { host });
      expect(headers['location']).toBe('/tasks?limit=5');
    },
  );

  test.each(['localhost:8004', '127.0.0.1:8000', '127.1.2.3', '[::1]:8000', 'LOCALHOST'])(
    'one that we are reached by is echoed, as mula does: %s',
    async (host) => {
      served = await serve({ lists });
      expect(await nextFor(host)).toBe(`http://${host}/tasks?limit=5&offset=5`);
    },
  );

  test('a configured URL gives the scheme too, where a proxy in front ends TLS', async () => {
    served = await serve({ lists, access: { ...openAccess, publicUrls: ['https://kat.example'] } });
    expect(await nextFor('kat.example')).toBe('https://kat.example/tasks?limit=5&offset=5');
  });
});

describe('headers', () => {
  test.each(['/tasks', '/health', '/openapi.json', '/nope', '/docs/json'])(
    'no browser takes %s for a page',
    async (path) => {
      served = await serve();
      const { headers } = await ask('GET', path);
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cache-control': 'no-store',
      });
    },
  );

  test('a page runs our scripts only, in no frame', async () => {
    const { line } = newToken('a', 'read');
    served = await serve({ access: { ...openAccess, tokens: readTokens({ SCHEDULER_API_TOKENS: line }) } });
    const { headers, text } = await ask('GET', '/login');
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/);
    expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff' });
    expect(headers).not.toHaveProperty('strict-transport-security');
    expect(text).not.toMatch(/<script|style=/);
  });

  test('the documentation needs no inline script', async () => {
    served = await serve();
    const { headers, text } = await ask('GET', '/docs');
    expect(headers['content-security-policy']).toMatch(/script-src 'self'/);
    expect(text).not.toMatch(/<script(?![^>]*src=)/);
    for (const [, path] of text.matchAll(/(?:src|href)="\.?\/?(docs\/[^"]+)"/g)) {
      expect([path, (await ask('GET', `/${path}`)).status]).toEqual([path, 200]);
    }
  });
});

describe('a log-in', () => {
  const { token, line } = newToken('someone', 'read');
  const access = { ...openAccess, tokens: readTokens({ SCHEDULER_API_TOKENS: line }) };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };

  test('opens the documents to a browser, and nothing else', async () => {
    served = await serve({ access });
    expect(await ask('GET', '/docs', { accept: 'text/html' })).toMatchObject({
      status: 303,
      headers: { location: '/login' },
    });
    const asked = await ask('POST', '/login', form, new URLSearchParams({ token }).toString());
    expect(asked).toMatchObject({ status: 303, headers: { location: '/docs' } });
    const [set] = asked.headers['set-cookie'] as string[];
    expect(set).toMatch(/HttpOnly/);
    expect(set).toMatch(/SameSite=Strict/);
    expect(set).not.toContain(token);
    const cookie = set!.split(';')[0]!;
    for (const path of ['/docs', '/docs/json', '/openapi.json', '/docs/static/swagger-ui.css']) {
      expect([path, (await ask('GET', path, { cookie })).status]).toEqual([path, 200]);
    }
    for (const path of ['/tasks', '/metrics', '/schedules']) {
      expect([path, (await ask('GET', path, { cookie })).status]).toEqual([path, 401]);
    }
    expect(await ask('POST', pop, { cookie })).toMatchObject({ status: 401 });
  });

  test('with a wrong token, of a forged or an old cookie is none', async () => {
    let now = new Date();
    served = await serve({ access, now: () => now });
    expect(await ask('POST', '/login', form, 'token=wrong')).toMatchObject({ status: 401 });
    expect(await ask('POST', '/login?token=' + token, form)).toMatchObject({ status: 415 });
    const { headers } = await ask('POST', '/login', form, `token=${token}`);
    const cookie = headers['set-cookie']![0]!.split(';')[0]!;
    const statusOf = async (given: string) => (await ask('GET', '/openapi.json', { cookie: given })).status;
    expect(await statusOf(cookie)).toBe(200);
    const later = cookie.replace(/(\d{8,})/, (ends) => String(Number(ends) + 1));
    for (const forged of [
      later,
      `${cookie}x`,
      'rota_docs=someone',
      'rota_docs=//',
      'rota_docs=',
      cookie.slice(0, -4),
    ]) {
      expect([forged, await statusOf(forged)]).toEqual([forged, 401]);
    }
    now = new Date(now.getTime() + 13 * 3_600_000);
    expect(await statusOf(cookie)).toBe(401);
  });
});
