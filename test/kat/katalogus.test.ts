import { describe, expect, test } from 'vitest';
import type { Received } from './http-double.ts';
import { boefje, kat, katalogusWith } from './kat-double.ts';

const normalizer = { id: 'kat_dns_normalize', type: 'normalizer', consumes: ['boefje/dns-records'], produces: [] };
const bit = { id: 'port-classification', type: 'bit', consumes: 'IPPort', produces: ['Finding'], parameters: [] };

const asked = (received: readonly Received[], path: string) => received.filter((it) => it.path === path).length;

describe('Katalogus', () => {
  test('lists organisations, asked once in 30 s', async () => {
    const { services, received, time } = await kat(() => ({
      body: { aa: { id: 'aa', name: 'A', deduplicate: true }, bb: { id: 'bb', name: 'B' } },
    }));
    const [organisations] = await Promise.all([services.katalogus.organisations(), services.katalogus.organisations()]);
    expect([...organisations.values()]).toEqual([
      { id: 'aa', name: 'A', deduplicate: true },
      { id: 'bb', name: 'B', deduplicate: false },
    ]);
    time.advance(29_999);
    await services.katalogus.organisations();
    expect(received).toHaveLength(1);
    time.advance(1);
    await services.katalogus.organisations();
    expect(received).toHaveLength(2);
  });

  test('gives boefjes, normalizers and bits of an organisation, without a filter that it might not know', async () => {
    const answer = katalogusWith(
      () => ['a/a'],
      () => [boefje, normalizer, bit],
    );
    const { services, received } = await kat(answer);
    const plugins = await services.katalogus.plugins('a/a');
    expect(received[1]).toMatchObject({ method: 'GET', path: '/v1/organisations/a%2Fa/plugins' });
    expect([...received[1]!.query]).toEqual([]);
    expect(plugins!.get('dns-records')).toEqual({
      id: 'dns-records',
      type: 'boefje',
      name: 'DNS records',
      version: null,
      enabled: true,
      consumes: ['Hostname'],
      produces: ['boefje/dns-records'],
      scanLevel: 1,
      cron: null,
      interval: 60,
      runOn: ['create'],
      ociImage: 'ghcr.io/minvws/openkat/generic:latest',
      deduplicate: true,
    });
    expect(plugins!.get('kat_dns_normalize')).toMatchObject({ type: 'normalizer', enabled: true, scanLevel: 0 });
    expect(plugins!.get('port-classification')).toMatchObject({ type: 'bit', consumes: ['IPPort'] });
  });

  test('gives the limit of a boefje whose release of KAT has them; one that does not fit is none', async () => {
    const limited = { ...boefje, id: 'shodan', rate_limit_interval: 1, rate_limit_group: 'api.shodan.io' };
    const others = [{ ...limited, id: 'alone', rate_limit_group: null }, boefje];
    const misfits = [0, -1, '1/s', null].map((rate_limit_interval, n) => ({
      ...limited,
      id: `x${n}`,
      rate_limit_interval,
    }));
    const answer = katalogusWith(
      () => ['aa'],
      () => [limited, ...others, ...misfits],
    );
    const plugins = (await (await kat(answer)).services.katalogus.plugins('aa'))!;
    const limits = [...plugins.values()].flatMap(({ id, rateLimit }) => (rateLimit ? [{ id, ...rateLimit }] : []));
    expect(limits).toEqual([
      { id: 'shodan', seconds: 1, group: 'api.shodan.io' },
      { id: 'alone', seconds: 1, group: 'alone' },
    ]);
    expect(plugins.size).toBe(7);
  });

  test('keeps a plug-in that several organisations have alike once', async () => {
    const answer = katalogusWith(
      () => ['aa', 'bb', 'cc'],
      ({ path }) => [{ ...boefje, enabled: !path.includes('/cc/') }],
    );
    const { services } = await kat(answer);
    const [aa, bb, cc] = await Promise.all(['aa', 'bb', 'cc'].map((it) => services.katalogus.plugins(it)));
    expect(bb!.get('dns-records')).toBe(aa!.get('dns-records'));
    expect(cc!.get('dns-records')).toMatchObject({ enabled: false });
  });

  test('is asked once for an organisation by callers that come together, and again on demand', async () => {
    const answer = katalogusWith(
      () => ['aa'],
      () => [boefje],
    );
    const { services, received } = await kat(answer);
    await Promise.all(Array.from({ length: 20 }, () => services.katalogus.plugins('aa')));
    expect(received).toHaveLength(2);
    await services.katalogus.plugins('aa', { fresh: true });
    expect(received).toHaveLength(4);
  });

  test('an organisation that is not in its list has no plug-ins, although it answers defaults: null, not an error', async () => {
    const answer = katalogusWith(
      () => ['aa'],
      () => [boefje],
    );
    const { services, received } = await kat(answer);
    expect(await services.katalogus.plugins('gone')).toBeNull();
    expect(await services.katalogus.knows('gone')).toBe(false);
    expect(asked(received, '/v1/organisations/gone/plugins')).toBe(0);
    expect(await services.katalogus.plugins('aa')).not.toBeNull();
  });

  test('an organisation that was created a moment ago is known, whatever list is kept', async () => {
    const known = ['aa'];
    const answer = katalogusWith(
      () => known,
      () => [boefje],
    );
    const { services } = await kat(answer);
    await services.katalogus.organisations();
    known.push('bb');
    expect([...(await services.katalogus.plugins('bb'))!.keys()]).toEqual(['dns-records']);
    expect(await services.katalogus.knows('bb')).toBe(true);
  });

  test('an organisation that was deleted is gone once the list is 30 s old, and at once for a caller that wants a fresh list', async () => {
    let known = ['aa', 'bb'];
    const answer = katalogusWith(
      () => known,
      () => [boefje],
    );
    const { services, time } = await kat(answer);
    for (const organisation of known) await services.katalogus.plugins(organisation);
    known = [];
    expect(await services.katalogus.plugins('aa', { fresh: true })).toBeNull();
    time.advance(30_000);
    expect(await services.katalogus.plugins('bb')).toBeNull();
  });

  test('a flood of events about an organisation that is gone does not become a flood of requests', async () => {
    const answer = katalogusWith(
      () => ['aa'],
      () => [boefje],
    );
    const { services, received } = await kat(answer);
    await services.katalogus.organisations();
    const answers = await Promise.all(Array.from({ length: 500 }, () => services.katalogus.plugins('gone')));
    expect(new Set(answers)).toEqual(new Set([null]));
    expect(received.length).toBeLessThanOrEqual(3);
  });

  test('a caller that has just read the organisations does not read them again for each', async () => {
    const ids = Array.from({ length: 50 }, (_, at) => `org-${at}`);
    const answer = katalogusWith(
      () => ids,
      () => [boefje],
    );
    const { services, received } = await kat(answer);
    const known = await services.katalogus.organisations({ fresh: true });
    for (const organisation of ids) await services.katalogus.plugins(organisation, { fresh: true, known });
    expect(asked(received, '/v1/organisations')).toBe(1);
    expect(await services.katalogus.plugins('gone', { fresh: true, known })).toBeNull();
  });

  test.each([{ status: 503, body: {} }, { body: { aa: 'no organisation' } }, { body: [] }])(
    'no list of organisations (%j) is a failure, and no organisation gone',
    async (list) => {
      const { services } = await kat(({ path }) => (path === '/v1/organisations' ? list : { body: [boefje] }));
      for (const organisation of ['aa', 'bb']) {
        await expect(services.katalogus.plugins(organisation)).rejects.toMatchObject({
          code: expect.stringMatching('SERVICE_UNAVAILABLE|SERVICE_REJECTED'),
        });
      }
    },
  );

  test('an organisation with a field that does not fit is there nevertheless, and so are the others', async () => {
    const { services } = await kat(() => ({
      body: { aa: { id: 'aa', name: null, deduplicate: null }, bb: { id: 'bb' } },
    }));
    expect([...(await services.katalogus.organisations()).values()]).toEqual([
      { id: 'aa', name: 'aa', deduplicate: false },
      { id: 'bb', name: 'bb', deduplicate: false },
    ]);
  });

  test('gives configurations with their duplicates and never their settings', async () => {
    const twin = { id: 9, settings: { KEY: 's3cret' }, enabled: true, boefje_id: 'dns', organisation_id: 'bb' };
    const { services, received } = await kat(() => ({
      body: [{ ...twin, organisation_id: 'aa', environment: { KEY: 's3cret' }, duplicates: [twin] }],
    }));
    const ask = () => services.katalogus.boefjeConfigs('aa', 'dns');
    const [configurations] = await Promise.all([ask(), ask()]);
    expect(await ask()).toBe(configurations);
    expect(received).toHaveLength(1);
    expect(configurations).toEqual([
      { boefjeId: 'dns', organisationId: 'aa', enabled: true, duplicates: [{ organisationId: 'bb', enabled: true }] },
    ]);
    expect(Object.fromEntries(received[0]!.query)).toEqual({
      organisation_id: 'aa',
      boefje_id: 'dns',
      enabled: 'true',
      with_duplicates: 'true',
    });
  });
});
