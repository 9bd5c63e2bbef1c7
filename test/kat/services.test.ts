import { afterEach, describe, expect, test } from 'vitest';
import { createKatServices, type KatClients, type KatSettings } from '../../src/kat/services.ts';
import { fakeTime, type Received, type Reply, startDouble } from './http-double.ts';

type Double = Awaited<ReturnType<typeof startDouble>>;
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const unset: KatSettings = { katalogus: null, octopoes: null, bytes: null, bytesUser: null, bytesPassword: null };

async function kat(answer: (request: Received) => Reply | Promise<Reply>): Promise<{
  services: KatClients;
  received: Double['received'];
  time: ReturnType<typeof fakeTime>;
}> {
  const double = await startDouble(answer);
  const time = fakeTime();
  const settings = double.settings();
  const services = createKatServices(
    { katalogus: settings, octopoes: settings, bytes: settings, bytesUser: 'bytes', bytesPassword: 'pa55word' },
    undefined,
    time,
  );
  ends.push(() => services.close(), double.stop);
  return { services, received: double.received, time };
}

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

  test('a plug-in that does not fit is named by its place and field', async () => {
    const { services } = await kat(() => ({ body: [boefje, { ...boefje, consumes: 7 }] }));
    await expect(services.katalogus.plugins('aa')).rejects.toMatchObject({
      code: 'SERVICE_REJECTED',
      fields: { service: 'katalogus', path: '/v1/organisations/aa/plugins', field: '1.consumes' },
    });
  });

  test('gives configurations with their duplicates and never their settings', async () => {
    const twin = { id: 9, settings: { KEY: 's3cret' }, enabled: true, boefje_id: 'dns', organisation_id: 'bb' };
    const { services, received } = await kat(() => ({
      body: [{ ...twin, organisation_id: 'aa', environment: { KEY: 's3cret' }, duplicates: [twin] }],
    }));
    const configurations = await services.katalogus.boefjeConfigs('aa', 'dns');
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

describe('Octopoes', () => {
  const host = (name: string, level: number | null) => ({
    object_type: 'Hostname',
    primary_key: `Hostname|internet|${name}`,
    name,
    scan_profile: level === null ? null : { scan_profile_type: 'declared', reference: name, level },
  });

  test('gives objects page by page, all as of one moment', async () => {
    const hosts = Array.from({ length: 2_001 }, (_, at) => host(`h${at}`, 2));
    const { services, received, time } = await kat(({ query }) => {
      const offset = Number(query.get('offset'));
      return { body: { count: hosts.length, items: hosts.slice(offset, offset + Number(query.get('limit'))) } };
    });
    const sizes: number[] = [];
    for await (const page of services.octopoes.objects('aa', {
      types: ['Hostname', 'IPAddressV4'],
      scanLevels: [1, 2],
    })) {
      sizes.push(page.length);
      time.advance(1_000);
    }
    expect(sizes).toEqual([1_000, 1_000, 1]);
    expect(received[0]!.query.getAll('types')).toEqual(['Hostname', 'IPAddressV4']);
    expect(received[0]!.query.getAll('scan_level')).toEqual(['1', '2']);
    expect(new Set(received.map((one) => one.query.get('valid_time')))).toEqual(new Set(['2025-05-27T09:00:00.000Z']));
  });

  test('an organisation that it does not know has no objects', async () => {
    const { services } = await kat(() => ({ status: 404, body: { detail: 'node' } }));
    const pages = await Array.fromAsync(services.octopoes.objects('gone', { types: ['Hostname'], scanLevels: [1] }));
    expect(pages).toEqual([]);
    expect(await services.octopoes.objectsByReference('gone', ['Hostname|internet|a'])).toEqual(new Map());
  });

  test('loads references in one request for each thousand; an OOI may lack a scan profile', async () => {
    const { services, received } = await kat(({ body }) => {
      const known = (JSON.parse(body) as string[]).filter((reference) => reference.endsWith('0'));
      return { body: Object.fromEntries(known.map((name) => [name, host(name, null)])) };
    });
    const references = Array.from({ length: 1_500 }, (_, at) => `r${at}`);
    const found = await services.octopoes.objectsByReference('aa', [...references, 'r0']);
    expect(found.size).toBe(150);
    expect(found.get('r10')).toMatchObject({ objectType: 'Hostname', scanLevel: null });
    expect(received.map((one) => (JSON.parse(one.body) as string[]).length).sort((a, b) => a - b)).toEqual([
      500, 1_000,
    ]);
    expect(received[0]).toMatchObject({ method: 'POST', path: '/aa/objects/load_bulk' });
    expect(received[0]!.query.get('valid_time')).toMatch(/Z$/);
  });

  test('asks for nothing when there is nothing to ask for', async () => {
    const { services, received } = await kat(() => ({ body: {} }));
    expect(await services.octopoes.objectsByReference('aa', [])).toEqual(new Map());
    expect(await services.octopoes.objectClients('Hostname|internet|a', [])).toEqual(new Map());
    expect(await Array.fromAsync(services.octopoes.objects('aa', { types: [], scanLevels: [1] }))).toEqual([]);
    expect(received).toEqual([]);
  });

  test('finds an OOI in the organisations that have it', async () => {
    const { services, received } = await kat(() => ({ body: { bb: host('a', 3) } }));
    const found = await services.octopoes.objectClients('Hostname|internet|a', ['aa', 'bb']);
    expect(found).toEqual(
      new Map([['bb', { primaryKey: 'Hostname|internet|a', objectType: 'Hostname', scanLevel: 3 }]]),
    );
    expect(received[0]!.query.getAll('clients')).toEqual(['aa', 'bb']);
    expect(received[0]!.query.get('reference')).toBe('Hostname|internet|a');
  });
});

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

  test.for([
    ['refused', { status: 401, body: { detail: 'Incorrect username or password' } }],
    ['malformed', { status: 422, body: { detail: [{ loc: ['password'], input: 'pa55word' }] } }],
    ['failing', { status: 500, body: 'pa55word' }],
  ] as const)('a login that is %s says so without the password', async ([, reply]) => {
    const { services } = await kat(() => reply);
    const error = (await services.bytes.lastRun(query).catch((thrown: unknown) => thrown)) as Error & { code: string };
    expect(error.code).toBe(reply.status === 500 ? 'SERVICE_UNAVAILABLE' : 'SERVICE_REJECTED');
    expect(JSON.stringify([error, error.message, error.stack, services.status()])).not.toContain('pa55word');
  });
});

test('an outage of one service leaves the others alone', async () => {
  const double = await startDouble(({ path }) => (path === '/v1/organisations' ? { body: {} } : { status: 500 }));
  const circuits: string[] = [];
  const services = createKatServices(
    { ...unset, katalogus: double.settings(), octopoes: double.settings() },
    (service, state) => circuits.push(`${service} ${state}`),
    fakeTime(),
  );
  ends.push(() => services.close(), double.stop);
  for (let i = 0; i < 3; i += 1) await services.octopoes.objectsByReference('aa', ['x']).catch(() => {});
  expect(circuits).toEqual(['octopoes open']);
  expect(await services.katalogus.organisations()).toEqual(new Map());
  expect(services.status()).toMatchObject([
    { service: 'katalogus', circuit: 'closed' },
    { service: 'octopoes', circuit: 'open', lastError: expect.stringContaining('500') },
  ]);
});

test('a service that is not set says which variable is missing', async () => {
  const { katalogus, octopoes, bytes } = createKatServices(unset);
  const lastRun = { organisation: 'aa', boefje: 'x', inputOoi: null };
  const missing = (variable: string) => ({ code: 'SERVICE_UNAVAILABLE', message: `${variable} is not set` });
  await expect(katalogus.plugins('aa')).rejects.toMatchObject(missing('KATALOGUS_API'));
  await expect(Array.fromAsync(octopoes.objects('aa', { types: ['x'], scanLevels: [1] }))).rejects.toMatchObject(
    missing('OCTOPOES_API'),
  );
  await expect(bytes.lastRun(lastRun)).rejects.toMatchObject(missing('BYTES_API'));
  const nameless = createKatServices({ ...unset, bytes: { url: 'http://127.0.0.1:1', timeoutMs: 1, connections: 1 } });
  await expect(nameless.bytes.lastRun(lastRun)).rejects.toMatchObject(missing('BYTES_USERNAME'));
});

test('closing ends what is in flight', async () => {
  const asked = Promise.withResolvers<void>();
  const double = await startDouble(() => {
    asked.resolve();
    return null;
  });
  ends.push(double.stop);
  const services = createKatServices({ ...unset, katalogus: double.settings() });
  const answer = services.katalogus.organisations();
  await asked.promise;
  await services.close();
  await expect(answer).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
});
