import { describe, expect, test } from 'vitest';
import type { Received, Reply } from './http-double.ts';
import { kat } from './kat-double.ts';

describe('Bytes', () => {
  const query = { organisation: 'aa', boefje: 'dns-records', inputOoi: 'Hostname|internet|a' };
  const run = { id: 'x', ended_at: '2025-05-27T09:00:16.3Z', environment: { KEY: 's3cret' } };

  function bytes() {
    let token = 0;
    let valid = 0;
    return {
      expire: () => (valid = token + 1),
      answer: ({ path, headers }: Received): Reply => {
        if (path === '/token') {
          token += 1;
          return { body: { access_token: `t${token}`, token_type: 'bearer', expires_at: '2025-05-27' } };
        }
        const used = Number(headers.authorization?.slice('Bearer t'.length));
        return used >= valid ? { body: [run] } : { status: 401, body: { detail: 'expired' } };
      },
    };
  }

  test('logs in once for requests that come together, and asks for the latest run', async () => {
    const { services, received } = await kat(bytes().answer);
    const runs = await Promise.all(Array.from({ length: 8 }, () => services.bytes.lastRun(query)));
    expect(runs[0]).toEqual({ endedAt: Date.parse('2025-05-27T09:00:16.300Z') });
    const [login, ...asked] = received;
    expect(login).toMatchObject({ method: 'POST', path: '/token', body: 'username=bytes&password=pa55word' });
    expect(login!.headers['content-type']).toContain('application/x-www-form-urlencoded');
    expect(asked).toHaveLength(8);
    expect(Object.fromEntries(asked[0]!.query)).toEqual({
      organization: 'aa',
      boefje_id: 'dns-records',
      input_ooi: 'Hostname|internet|a',
      limit: '1',
      descending: 'true',
    });
  });

  test('logs in again, once, when the token has run out', async () => {
    const double = bytes();
    const { services, received } = await kat(double.answer);
    await services.bytes.lastRun(query);
    double.expire();
    await Promise.all(Array.from({ length: 5 }, () => services.bytes.lastRun(query)));
    expect(received.filter((one) => one.path === '/token')).toHaveLength(2);
  });

  test('no run is null; a boefje without an OOI sends none', async () => {
    const { services, received } = await kat(({ path }) =>
      path === '/token' ? { body: { access_token: 't' } } : { body: [] },
    );
    expect(await services.bytes.lastRun({ ...query, inputOoi: null })).toBeNull();
    expect(received[1]!.query.has('input_ooi')).toBe(false);
  });

  test('the last runs of several boefjes on an OOI are one request, unless it has more runs than a page', async () => {
    const runOf = (id: string, ended_at: string) => ({ boefje: { id, version: null }, ended_at });
    let page = [runOf('nmap', '2025-05-27T09:00:00Z'), runOf('nmap', '2025-05-26T09:00:00Z')];
    const { services, received } = await kat(({ path, query: asked }) => {
      if (path === '/token') return { body: { access_token: 't' } };
      return { body: asked.has('boefje_id') ? [runOf('dns-records', '2025-01-01T00:00:00Z')] : page };
    });
    const ask = () =>
      services.bytes.lastRuns({ organisation: 'aa', boefjes: ['nmap', 'dns-records'], inputOoi: query.inputOoi });
    const nmap = { endedAt: Date.parse('2025-05-27T09:00:00Z') };
    expect([...(await ask())]).toEqual([
      ['nmap', nmap],
      ['dns-records', null],
    ]);
    expect(received).toHaveLength(2);
    page = Array.from({ length: 50 }, () => page[0]!);
    expect([...(await ask())]).toEqual([
      ['nmap', nmap],
      ['dns-records', { endedAt: Date.parse('2025-01-01T00:00:00Z') }],
    ]);
    expect(received).toHaveLength(4);
  });

  test.for([
    ['refused', { status: 401, body: { detail: 'Incorrect username or password' } }],
    ['malformed', { status: 422, body: { detail: [{ loc: ['password'], input: 'pa55word' }] } }],
    ['failing', { status: 500, body: 'pa55word' }],
  ] as const)('a login that is %s says so without the password', async ([, reply]) => {
    const { services } = await kat(() => reply);
    const error = (await services.bytes.lastRun(query).catch((thrown: unknown) => thrown)) as Error & { code: string };
    expect(error.code).toBe(reply.status === 422 ? 'SERVICE_REJECTED' : 'SERVICE_UNAVAILABLE');
    expect(JSON.stringify([error, error.message, error.stack, services.status()])).not.toContain('pa55word');
  });
});
