import { describe, expect, onTestFinished, test } from 'vitest';
import { RotaError } from '../../src/errors.ts';
import { ask, fromUs, keepingLog, logIn, open, quietAnswer, startPageAlone, tokensFor } from '../support/page.ts';

const { tokens, of } = tokensFor({ ops: 'operate', wall: 'read' });
async function started(options: Parameters<typeof startPageAlone>[0] = {}) {
  const { url, server } = await startPageAlone({ ask: quietAnswer, ...options, access: { tokens, ...options.access } });
  return { url, server, cookie: await logIn(url, of.ops) };
}

describe('every answer', () => {
  const paths = [
    '/',
    '/login',
    '/robots.txt',
    '/nowhere',
    '/live?at=/',
    '/live',
    '/tasks/%00',
    '/%ff',
    '/%',
    '/assets/none',
    '/assets/..%2f..%2fserver.ts',
  ];

  test.each(paths)('of %s has the headers that keep scripts, frames and caches out', async (path) => {
    const { url, cookie } = await started();
    const response = await open(url, path, { headers: { cookie } });
    onTestFinished(() => void response.destroy());
    const { headers } = response;
    // Of what is no address at all, nothing is shown but a sentence.
    const bare = "default-src 'none';frame-ancestors 'none'";
    expect(headers['content-security-policy']).toBe(
      /^\/%(?:ff)?$/.test(path)
        ? bare
        : "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';" +
            "form-action 'self';base-uri 'none';frame-ancestors 'none'",
    );
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
    expect(headers['cache-control']).toMatch(/^no-store/);
    expect(headers['server'] ?? headers['x-powered-by']).toBeUndefined();
  });

  test('the files of the browser are kept for a year, under an address that changes with them', async () => {
    const { url, cookie } = await started();
    const page = await ask(url, '/', { headers: { cookie } });
    const addresses = [...page.body.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    expect(addresses).toHaveLength(5);
    for (const path of addresses) {
      const { status, headers } = await ask(url, path);
      expect({ path, status, cache: headers['cache-control'] }).toEqual({
        path,
        status: 200,
        cache: 'public, max-age=31536000, immutable',
      });
    }
  });
});

describe('an address that is refused', () => {
  test.each([
    ['/nowhere', 404],
    ['/nowhere/%00x', 404],
    ['/%ff', 400],
    [`/${'a'.repeat(12_000)}`, 404],
    [`/?x=${'<'.repeat(12_000)}`, 200],
    ['/do/pause', 404],
    ['//evil.example/', 404],
    ['/?at=1&at=2&at=%00', 200],
    ['/?__proto__=x&constructor=y', 200],
  ] as const)('is answered shortly, without a stack: %#', async (path, status) => {
    const { url, cookie } = await started();
    const answer = await ask(url, path, { headers: { cookie } });
    expect(answer.status).toBe(status);
    expect(answer.body).not.toMatch(/\.ts:\d|node:internal|<{100}/);
    expect(answer.body.length).toBeLessThan(status === 200 ? 80_000 : 12_000);
  });

  test('a header that is too long is refused before any of our code', async () => {
    const { url } = await started();
    expect((await ask(url, `/${'a'.repeat(40_000)}`)).status).toBe(431);
  });

  test('HEAD is answered as GET is, but opens no stream and uses no code', async () => {
    const { url, cookie } = await started();
    expect((await ask(url, '/', { method: 'HEAD', headers: { cookie } })).status).toBe(200);
    expect((await ask(url, '/live?at=/', { method: 'HEAD', headers: { cookie } })).status).toBe(404);
  });
});

describe('a form', () => {
  const post = { method: 'POST' } as const;

  test('of more than 64 kB is refused', async () => {
    const { url, cookie } = await started();
    const answer = await ask(url, '/do/pause', {
      ...post,
      headers: { cookie, ...fromUs },
      body: { scheduler: 'x'.repeat(70_000) },
    });
    expect(answer.status).toBe(413);
  });

  test.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x', ''])(
    'of the type %s is refused: pages send one only',
    async (type) => {
      const { url, cookie } = await started();
      const headers = { cookie, ...fromUs, 'content-type': type };
      const body = '{"scheduler":{"a":1},"back":{"at":1}}';
      expect((await ask(url, '/do/pause', { ...post, headers, body })).status).toBe(415);
    },
  );

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/\t/evil.example',
    '/ok\r\nset-cookie: a=b',
    'javascript:alert(1)',
    '\\\\evil.example',
    `/${'a'.repeat(10_000)}`,
    '',
  ])('comes back to a page of ours, never elsewhere: %#', async (back) => {
    const { url, cookie } = await started();
    const form = { ...post, headers: { cookie, ...fromUs } };
    const theme = await ask(url, '/theme', { ...form, body: { theme: 'dark', back } });
    expect(theme.headers.location).toBe('/');
    const confirmation = await ask(url, '/do/pause', { ...form, body: { scheduler: 'boefje', back } });
    expect(confirmation.body).toContain('<a href="/">Leave it</a>');
    const resumed = await ask(url, '/do/resume', { ...form, body: { scheduler: 'boefje', organisation: 'a', back } });
    expect(resumed.headers.location).toBe('/');
    const entered = await ask(url, '/login', { ...form, body: { token: of.ops, back } });
    expect(entered.headers.location).toBe('/');
  });

  test('comes back to the page that it stood on', async () => {
    const { url, cookie } = await started();
    const back = '/tasks?ooi=Hostname%7Cinternet%7Ca.example&status=failed';
    const theme = await ask(url, '/theme', { ...post, headers: { cookie, ...fromUs }, body: { theme: 'dark', back } });
    expect(theme.headers.location).toBe(back);
  });

  test('an action that says much still says it: the notice fits into a cookie, and so into a proxy’s header', async () => {
    const says = '\u00e9\u0001'.repeat(5_000);
    const { url, cookie } = await started({ ask: () => Promise.reject(new RotaError('CONFLICT', says)) });
    const body = { scheduler: 'boefje', organisation: 'x' };
    const done = await ask(url, '/do/resume', { ...post, headers: { cookie, ...fromUs }, body });
    const [notice = ''] = done.headers['set-cookie']!;
    expect(notice.length).toBeLessThan(4_500);
    const shown = await ask(url, '/nowhere', { headers: { cookie: `${cookie}; ${notice.split(';')[0]}` } });
    expect(shown.body).toMatch(/class="notice bad acts"[^]*éé?/);
  });

  test('a notice of another session, or one that nobody made, is not shown', async () => {
    const { url, cookie } = await started();
    for (const value of [
      '[]',
      '{}',
      'null',
      '["{}",1]',
      '["x","y"]',
      '%00',
      encodeURIComponent('["{\\"says\\":\\"x\\"}","a.b"]'),
    ]) {
      const answer = await ask(url, '/nowhere', { headers: { cookie: `${cookie}; rota_notice_test=${value}` } });
      expect(answer.status).toBe(404);
      expect(answer.body).not.toContain('class="notice');
    }
  });
});

describe('log-in', () => {
  test('comes back to the address that asked for it', async () => {
    const { url } = await started();
    const asked = await ask(url, '/tasks?status=failed');
    expect(asked.status).toBe(303);
    expect(asked.headers.location).toBe('/login?back=%2Ftasks%3Fstatus%3Dfailed');
    const form = await ask(url, asked.headers.location!);
    expect(form.body).toContain('name="back" value="/tasks?status=failed"');
    const body = { token: of.wall, back: '/tasks?status=failed' };
    const entered = await ask(url, '/login', { method: 'POST', headers: fromUs, body });
    expect(entered.headers.location).toBe('/tasks?status=failed');
  });

  test('the cookie is for us alone, and over TLS where browsers come by it', async () => {
    const { url } = await started();
    const behind = await startPageAlone({ access: { tokens, publicUrls: ['https://page.example'] } });
    const flags = async (at: string) => {
      const entered = await ask(at, '/login', { method: 'POST', headers: fromUs, body: { token: of.ops } });
      return entered.headers['set-cookie']![0]!.split('; ').slice(1).toSorted();
    };
    expect(await flags(url)).toEqual(['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Lax']);
    expect(await flags(behind.url)).toEqual(['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Lax', 'Secure']);
  });

  test('tries are slowed and logged, without what was tried; who has a session goes on', async () => {
    const { log, lines } = keepingLog();
    const { url, cookie } = await started({ log });
    const attempt = () => ask(url, '/login', { method: 'POST', headers: fromUs, body: { token: 'guessed\n{"x":1}' } });
    const statuses: number[] = [];
    for (let at = 0; at < 25; at++) statuses.push((await attempt()).status);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(20);
    expect(statuses.at(-1)).toBe(429);
    expect(JSON.stringify(lines)).toContain('log-in refused');
    expect(JSON.stringify(lines)).not.toContain('guessed');
    // A link with a code is a try too; the form is none.
    const byLink = Array.from({ length: 25 }, () => ask(url, '/login?once=guessed'));
    expect((await Promise.all(byLink)).map(({ status }) => status)).toContain(429);
    expect((await ask(url, '/login')).status).toBe(200);
    expect((await ask(url, '/', { headers: { cookie } })).status).toBe(200);
  });

  test('there is none where there are no tokens', async () => {
    const { url } = await startPageAlone({ ask: quietAnswer });
    expect((await ask(url, '/login')).headers.location).toBe('/');
    expect((await ask(url, '/')).status).toBe(200);
  });
});

describe('a session', () => {
  test('has so many requests a minute, and others go on', async () => {
    const { url, cookie } = await started();
    const other = await logIn(url, of.wall);
    const answers = await Promise.all(Array.from({ length: 620 }, () => ask(url, '/nowhere', { headers: { cookie } })));
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(20);
    expect((await ask(url, '/nowhere', { headers: { cookie: other } })).status).toBe(404);
  });

  test('has so many in flight, and others go on', async () => {
    const asked = Promise.withResolvers<void>();
    onTestFinished(() => asked.resolve());
    let running = 0;
    const { url, cookie } = await started({
      async ask(name) {
        running += 1;
        await asked.promise;
        return quietAnswer(name);
      },
    });
    const other = await logIn(url, of.wall);
    const answers = Array.from({ length: 30 }, () => ask(url, '/', { headers: { cookie } }));
    const refused = await Promise.any(
      answers.map(async (answer) => ((await answer).status === 429 ? 429 : Promise.reject(new Error('served')))),
    );
    expect(refused).toBe(429);
    await expect.poll(() => running).toBeGreaterThan(0);
    // Seven commands a page.
    expect(running).toBeLessThanOrEqual(16 * 7);
    const theirs = ask(url, '/', { headers: { cookie: other } });
    asked.resolve();
    expect((await theirs).status).toBe(200);
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
  });
});

describe('a page that fails', () => {
  test('says no more than that, and the log has the rest', async () => {
    const { log, lines } = keepingLog();
    const { url, cookie } = await started({ log, ask: () => Promise.reject(new TypeError('secret of the inside')) });
    const answer = await ask(url, '/', { headers: { cookie } });
    expect(answer.body).not.toContain('secret of the inside');
    expect(answer.body).toContain('a fault in the page itself');
    expect(String(lines.flat().map((one) => (one as { err?: Error }).err))).toContain('secret of the inside');
  });

  test('a command that does not answer holds up the page for some seconds, not for ever', async () => {
    const { url, cookie } = await started({
      ask: (name) => (name === 'status' ? quietAnswer(name) : new Promise(() => {})),
    });
    const began = performance.now();
    const answer = await ask(url, '/', { headers: { cookie } });
    expect(performance.now() - began).toBeLessThan(4_500);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('no answer within 3 s');
  });

  test('one that has nothing but the answer says so within seconds, and where to look', async () => {
    const { url, cookie } = await started({ ask: () => new Promise(() => {}) });
    const began = performance.now();
    const answer = await ask(url, '/schedules', { headers: { cookie } });
    expect(performance.now() - began).toBeLessThan(7_500);
    expect(answer.status).toBe(503);
    expect(answer.body).toContain('this page did not come within 6 s');
    expect(answer.body).toContain('<a href="">Try again</a>, or see <a href="/">what is wrong</a>');
  });
});
