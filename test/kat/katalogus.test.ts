import { describe, expect, test } from 'vitest';
import { kat } from './kat-double.ts';

const boefje = {
  id: 'dns-records',
  name: 'DNS records',
  version: null,
  created: null,
  description: '…',
  enabled: true,
  static: true,
  type: 'boefje',
  scan_level: 1,
  consumes: ['Hostname'],
  produces: ['boefje/dns-records'],
  boefje_schema: null,
  cron: null,
  interval: 60,
  run_on: ['create'],
  runnable_hash: 'abc',
  oci_image: 'ghcr.io/minvws/openkat/generic:latest',
  oci_arguments: ['kat_dns.main'],
  deduplicate: true,
};
const normalizer = { id: 'kat_dns_normalize', type: 'normalizer', consumes: ['boefje/dns-records'], produces: [] };
const bit = { id: 'port-classification', type: 'bit', consumes: 'IPPort', produces: ['Finding'], parameters: [] };

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
    const { services, received } = await kat(() => ({ body: [boefje, normalizer, bit] }));
    const plugins = await services.katalogus.plugins('a/a');
    expect(received[0]).toMatchObject({ method: 'GET', path: '/v1/organisations/a%2Fa/plugins' });
    expect([...received[0]!.query]).toEqual([]);
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

  test('keeps a plug-in that several organisations have alike once', async () => {
    const { services } = await kat(({ path }) => ({ body: [{ ...boefje, enabled: !path.includes('/cc/') }] }));
    const [aa, bb, cc] = await Promise.all(['aa', 'bb', 'cc'].map((it) => services.katalogus.plugins(it)));
    expect(bb!.get('dns-records')).toBe(aa!.get('dns-records'));
    expect(cc!.get('dns-records')).toMatchObject({ enabled: false });
  });

  test('is asked once for an organisation by callers that come together, and anew on demand', async () => {
    const { services, received } = await kat(() => ({ body: [boefje] }));
    await Promise.all(Array.from({ length: 20 }, () => services.katalogus.plugins('aa')));
    expect(received).toHaveLength(1);
    await services.katalogus.plugins('aa', { fresh: true });
    expect(received).toHaveLength(2);
  });

  test('an organisation that it does not know has no plug-ins: null, not an error', async () => {
    const { services } = await kat(() => ({ status: 404, body: { detail: 'Organisation not found' } }));
    expect(await services.katalogus.plugins('gone')).toBeNull();
  });

  test('a plug-in that does not fit is left out alone, and named once with what is wrong with it', async () => {
    const { services, skipped } = await kat(() => ({
      body: [{ ...boefje, id: 'broken', consumes: { secret: 's3cret' } }, boefje, { type: 's3cret' }],
    }));
    for (const organisation of ['aa', 'bb']) {
      expect([...(await services.katalogus.plugins(organisation))!.keys()]).toEqual(['dns-records']);
    }
    await services.katalogus.plugins('aa', { fresh: true });
    expect(skipped).toMatchObject([
      { organisation: 'aa', plugin: 'broken', field: 'consumes' },
      {
        organisation: 'aa',
        plugin: 'plug-in without an id',
        field: 'id',
        why: expect.stringContaining('expected string'),
      },
    ]);
    expect(JSON.stringify(skipped)).not.toContain('s3cret');
  });

  test('plug-ins without an id are told once each by what they are, wherever they stand in whatever list', async () => {
    const image = 'ghcr.io/minvws/openkat/nmap:latest';
    const nameless = [
      { ...boefje, id: '', name: 'Own scan', oci_image: image },
      { ...boefje, id: '', name: 'Own scan', oci_image: null },
      { ...boefje, id: null, name: 'Other scan', oci_image: null },
      { type: 'normalizer', id: '', name: 'Own scan' },
      { id: '', name: { secret: 's3cret' } },
      null,
    ];
    let looks = 0;
    const { services, skipped } = await kat(() => {
      looks += 1;
      const from = looks % nameless.length;
      return { body: [...nameless.slice(from), boefje, ...nameless.slice(0, from)] };
    });
    for (const organisation of ['aa', 'bb', 'cc', 'dd', 'aa', 'bb']) {
      expect([...(await services.katalogus.plugins(organisation, { fresh: true }))!.keys()]).toEqual(['dns-records']);
    }
    expect(skipped.map(({ plugin }) => plugin).sort()).toEqual([
      'boefje "Other scan" without an id',
      'boefje "Own scan" of ghcr.io/minvws/openkat/nmap:latest without an id',
      'boefje "Own scan" without an id',
      'normalizer "Own scan" without an id',
      // An empty id, and no plug-in at all: what is wrong differs.
      'plug-in without an id',
      'plug-in without an id',
    ]);
    expect(JSON.stringify(skipped)).not.toContain('s3cret');
  });

  test('what was told about plug-ins is bounded: a catalogue that never stops changing fills no memory', async () => {
    let looks = 0;
    const broken = (at: number) => ({ ...boefje, id: `broken-${at}`, consumes: 7 });
    const { services, skipped } = await kat(() => {
      looks += 1;
      const from = looks === 2 ? 1 : 0;
      return { body: [boefje, ...Array.from({ length: 10_000 }, (_, at) => broken(from + at))] };
    });
    for (let look = 0; look < 3; look += 1) await services.katalogus.plugins('aa', { fresh: true });
    // The one that is one too many makes room: what was told before it is told again.
    expect(skipped.length).toBeGreaterThan(10_001);
    expect(skipped.filter(({ plugin }) => plugin === 'broken-10000')).toHaveLength(1);
  });

  test('a list of which no plug-in fits is rejected, not taken for an organisation without plug-ins', async () => {
    const { services, skipped } = await kat(() => ({ body: [{ ...boefje, consumes: 7 }, { name: 'no id' }] }));
    await expect(services.katalogus.plugins('aa')).rejects.toMatchObject({
      code: 'SERVICE_REJECTED',
      fields: { service: 'katalogus', path: '/v1/organisations/aa/plugins', field: '0.consumes' },
    });
    expect(skipped).toEqual([]);
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
