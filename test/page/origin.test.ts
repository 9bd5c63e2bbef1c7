import { describe, expect, test } from 'vitest';
import { ask, fromUs, logIn, startPageAlone, tokensFor } from '../support/page.ts';

const { tokens, of } = tokensFor({ ops: 'operate' });
const absent = undefined;

describe('a POST', () => {
  const sites = [
    'same-origin',
    'same-site',
    'cross-site',
    'none',
    '',
    'Same-Origin',
    'same-origin, same-origin',
    absent,
  ];
  const origins = [
    'own',
    'https://page.example',
    'http://page.example',
    'https://page.example.evil',
    'null',
    '',
    absent,
  ];

  test('must come from a page of ours: each Sec-Fetch-Site with each Origin', async () => {
    const { url } = await startPageAlone({ access: { tokens, publicUrls: ['https://page.example'] } });
    const taken: unknown[] = [];
    for (const site of sites) {
      for (const origin of origins) {
        const headers = {
          ...(site === absent ? {} : { 'sec-fetch-site': site }),
          ...(origin === absent ? {} : { origin: origin === 'own' ? url : origin }),
        };
        const { status } = await ask(url, '/theme', { method: 'POST', headers, body: { theme: 'dark' } });
        // Without a session it goes no further than that.
        expect([401, 403]).toContain(status);
        if (status === 401) taken.push([site, origin]);
      }
    }
    // What a browser says of the site counts, and its Origin where it says nothing.
    expect(taken).toEqual([
      ...origins.map((origin) => ['same-origin', origin]),
      [absent, 'own'],
      [absent, 'https://page.example'],
    ]);
  });

  test.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS'])('so must a %s, and there is none', async (method) => {
    const { url } = await startPageAlone({ access: { tokens } });
    const cookie = await logIn(url, of.ops);
    const foreign = { cookie, 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' };
    for (const path of ['/', '/do/pause', '/login']) {
      expect((await ask(url, path, { method, headers: foreign })).status).toBe(403);
      expect((await ask(url, path, { method, headers: { cookie, ...fromUs } })).status).toBe(404);
    }
  });

  test('no answer lets a page of another site read it', async () => {
    const { url } = await startPageAlone({ access: { tokens } });
    const answer = await ask(url, '/login', { headers: { origin: 'http://evil.example' } });
    const names = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
    expect(names).toEqual([]);
    expect(answer.headers['cross-origin-resource-policy']).toBe('same-origin');
  });
});

describe('a name that is bound to this machine by somebody else (DNS rebinding)', () => {
  const hosts = {
    '127.0.0.1': true,
    'localhost:8001': true,
    '[::1]:8001': true,
    '127.9.9.9': true,
    'page.example': true,
    'evil.example': false,
    'localhost.evil.example': false,
    '127.0.0.1.evil.example': false,
    'evil.example#127.0.0.1': false,
    '127.0.0.1@evil.example': false,
    'evil.example@127.0.0.1': false,
    '[': false,
  };

  test.each(Object.entries(hosts))('Host %s is read without tokens: %s', async (host, isRead) => {
    const { url } = await startPageAlone({ access: { publicUrls: ['https://page.example'] } });
    const { status } = await ask(url, '/robots.txt', { headers: { host } });
    expect(status).toBe(isRead ? 200 : 403);
  });

  test('with tokens any name may be a proxy’s', async () => {
    const { url } = await startPageAlone({ access: { tokens } });
    expect((await ask(url, '/robots.txt', { headers: { host: 'any.example' } })).status).toBe(200);
  });
});
