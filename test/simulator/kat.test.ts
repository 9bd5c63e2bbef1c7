import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { boefjeRun } from '../../src/simulator/events.ts';
import { type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import { createWorld } from '../../src/simulator/world.ts';

let kat: SimulatedKat;
const published: { stream: string; body: Record<string, unknown> }[] = [];
const now = encodeURIComponent('2026-02-01T10:00:00+00:00');

beforeEach(async () => {
  published.length = 0;
  const world = createWorld({ organisations: 2, objects: 30, boefjes: 4, seed: 7 });
  kat = await startKat(world, {
    publisher: { publish: async (stream, body) => void published.push({ stream, body: body as never }) },
  });
});
afterEach(() => kat.close());
async function get(service: keyof SimulatedKat['urls'], path: string, init: RequestInit = {}) {
  const response = await fetch(`${kat.urls[service]}${path}`, init);
  return { status: response.status, body: (await response.json()) as never as Record<string, unknown> };
}

function postJson(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
}

async function login(password = kat.credentials.password) {
  return get('bytes', '/token', {
    method: 'POST',
    body: new URLSearchParams({ username: kat.credentials.username, password }),
  });
}

describe('Katalogus', () => {
  test('organisations are an object keyed by id', async () => {
    const { body } = await get('katalogus', '/v1/organisations');
    expect(body['org-1']).toEqual({ id: 'org-1', name: 'Organisation 1', deduplicate: true });
    expect(Object.keys(body)).toEqual(['org-1', 'org-2']);
  });

  test('a boefje and a normalizer have the keys of the contract', async () => {
    const boefje = await get('katalogus', '/v1/organisations/org-1/plugins/dns-records');
    expect(boefje.body).toEqual({
      id: 'dns-records',
      name: 'DNS records',
      version: null,
      created: null,
      description: expect.any(String),
      enabled: true,
      static: true,
      type: 'boefje',
      scan_level: 1,
      consumes: ['Hostname'],
      produces: ['boefje/dns-records'],
      boefje_schema: expect.any(Object),
      cron: null,
      interval: null,
      run_on: null,
      runnable_hash: expect.any(String),
      oci_image: 'ghcr.io/minvws/openkat/generic:latest',
      oci_arguments: ['kat_dns.main'],
      deduplicate: true,
    });
    const normalizer = await get('katalogus', '/v1/organisations/org-1/plugins/kat_dns_normalize');
    expect(normalizer.body).toMatchObject({ type: 'normalizer', enabled: true, version: null, static: true });
    expect(normalizer.body['consumes']).toEqual(['boefje/dns-records', 'normalizer/kat_dns_normalize']);
    expect(normalizer.body).not.toHaveProperty('scan_level');
  });

  test('plug-ins are listed disabled ones too, and filtered by type, state and what they consume', async () => {
    const list = async (query: string) =>
      (await get('katalogus', `/v1/organisations/org-1/plugins?${query}`)).body as never as { id: string }[];
    expect(await list('')).toHaveLength(103);
    expect(await list('plugin_type=boefje')).toHaveLength(46);
    expect(await list('plugin_type=boefje&state=true')).toHaveLength(4);
    const parsers = await list('plugin_type=normalizer&consumes=boefje/dns-records&consumes=boefje/rdns');
    expect(parsers.map(({ id }) => id).sort()).toEqual(['kat_dns_normalize', 'kat_rdns_normalize']);
    expect(await list('offset=100&limit=50')).toHaveLength(3);
  });

  test('what it does not know is 404, but plug-ins ship to any organisation, known or not', async () => {
    expect(await get('katalogus', '/v1/organisations/nowhere')).toMatchObject({ status: 404 });
    expect((await get('katalogus', '/v1/organisations/nowhere/plugins')).body).toHaveLength(103);
    expect(await get('katalogus', '/v1/organisations/org-1/plugins/nothing')).toEqual({
      status: 404,
      body: { detail: 'Plugin not found' },
    });
  });

  test('configurations show the organisations that configured a boefje identically, and limit=0 shows nothing', async () => {
    const boefje = [...kat.world.organisations.get('org-1')!.settings].find(
      ([id, settings]) => Object.keys(settings).length === 0 && kat.world.organisations.get('org-2')!.settings.has(id),
    )![0];
    const query = `/v1/configs?organisation_id=org-1&boefje_id=${boefje}&enabled=true&with_duplicates=true&offset=0`;
    const { body } = await get('katalogus', query);
    const other = { id: expect.any(Number), settings: {}, enabled: true, boefje_id: boefje, organisation_id: 'org-2' };
    expect(body).toEqual([{ ...other, organisation_id: 'org-1', duplicates: [{ ...other, duplicates: [] }] }]);
    expect((await get('katalogus', `${query}&limit=1`)).body).toEqual(body);
    expect((await get('katalogus', `${query}&limit=0`)).body).toEqual([]);
  });

  test('different settings are no duplicates', async () => {
    const query = '/v1/configs?organisation_id=org-1&boefje_id=dns-records&with_duplicates=true&limit=1';
    const { body } = await get('katalogus', query);
    expect(body).toMatchObject([{ boefje_id: 'dns-records', duplicates: [] }]);
  });
});

describe('Octopoes', () => {
  test('valid_time is required and needs a time zone', async () => {
    const absent = await get('octopoes', '/org-1/objects?types=Hostname');
    expect(absent.status).toBe(422);
    expect(absent.body).toEqual({
      detail: [{ type: 'missing', loc: ['query', 'valid_time'], msg: 'Field required', input: null }],
    });
    expect((await get('octopoes', '/org-1/objects?valid_time=2026-02-01T10:00:00')).status).toBe(422);
  });

  test('objects are counted and paged', async () => {
    const query = `/org-1/objects?types=Hostname&types=IPAddressV4&valid_time=${now}`;
    const { body } = await get('octopoes', `${query}&offset=0&limit=4`);
    const all = [...kat.world.organisations.get('org-1')!.objects.values()].filter((object) =>
      ['Hostname', 'IPAddressV4'].includes(object.objectType),
    );
    expect(body['count']).toBe(all.length);
    expect(body['items']).toHaveLength(4);
    const rest = await get('octopoes', `${query}&offset=4&limit=1000`);
    expect(rest.body['items']).toHaveLength(all.length - 4);
  });

  test('an object has a primary key, a type and a scan profile', async () => {
    const object = [...kat.world.organisations.get('org-1')!.objects.values()].find((one) => one.level === 2)!;
    const path = `/org-1/object?reference=${encodeURIComponent(object.reference)}&valid_time=${now}`;
    expect((await get('octopoes', path)).body).toMatchObject({
      object_type: object.objectType,
      primary_key: object.reference,
      user_id: null,
      scan_profile: { reference: object.reference, level: 2, scan_profile_type: object.profile, user_id: null },
    });
  });

  test('an object without a scan profile says null', async () => {
    const object = [...kat.world.organisations.get('org-1')!.objects.values()][0]!;
    object.level = null;
    const path = `/org-1/object?reference=${encodeURIComponent(object.reference)}&valid_time=${now}`;
    expect((await get('octopoes', path)).body['scan_profile']).toBeNull();
  });

  test('an unknown object or organisation is 404, an unknown type 400', async () => {
    expect((await get('octopoes', `/org-1/object?reference=Hostname|x|y&valid_time=${now}`)).status).toBe(404);
    expect((await get('octopoes', `/nowhere/objects?valid_time=${now}`)).status).toBe(404);
    expect((await get('octopoes', `/org-1/objects?types=Gadget&valid_time=${now}`)).status).toBe(400);
  });

  test('many objects load in one request; absent ones are missing from the answer', async () => {
    const [first, second] = [...kat.world.organisations.get('org-1')!.objects.keys()];
    const path = `/org-1/objects/load_bulk?valid_time=${now}`;
    const { body } = await get('octopoes', path, postJson([first, second, 'Hostname|internet|gone.example']));
    expect(Object.keys(body)).toEqual([first, second]);
  });

  test('the organisations that have an object; one unknown object, and the answer is 404 for all', async () => {
    const shared = 'Hostname|internet|host-9.shared.example';
    const path = `/object-clients?reference=${shared}&clients=org-1&clients=org-2&valid_time=${now}`;
    const { body } = await get('octopoes', path);
    expect(Object.keys(body)).toEqual(['org-1', 'org-2']);
    expect((await get('octopoes', `${path}&clients=org-9`)).status).toBe(404);
  });
});

describe('Bytes', () => {
  test('a wrong password gets no token, and no token no answer', async () => {
    expect((await login('wrong')).status).toBe(401);
    expect((await get('bytes', '/bytes/boefje_meta?organization=org-1')).status).toBe(401);
  });

  test('the last run of a boefje on an object comes first; an expired token is refused', async () => {
    const { body: token } = await login();
    expect(token).toEqual({
      access_token: expect.any(String),
      token_type: 'bearer',
      expires_at: expect.stringMatching(/Z$/),
    });
    const headers = { authorization: `Bearer ${token['access_token'] as string}` };
    const of = { boefje: 'dns-records', inputOoi: 'Hostname|internet|a.example', organisation: 'org-1', tookMs: 5 };
    const early = { ...boefjeRun(of), ended_at: '2026-01-01T00:00:00Z' };
    const late = { ...boefjeRun(of), ended_at: '2026-01-02T00:00:00Z' };
    for (const run of [late, early]) {
      expect((await get('bytes', '/bytes/boefje_meta', postJson(run, headers))).status).toBe(201);
    }
    const query = `organization=org-1&boefje_id=dns-records&input_ooi=${encodeURIComponent(of.inputOoi)}`;
    const path = `/bytes/boefje_meta?${query}&limit=1&descending=true`;
    expect((await get('bytes', path, { headers })).body).toEqual([late]);
    kat.expireTokens();
    expect((await get('bytes', path, { headers })).status).toBe(401);
  });

  test('storing a raw file announces it once, in the shape that Bytes sends', async () => {
    const headers = { authorization: `Bearer ${(await login()).body['access_token'] as string}` };
    const run = boefjeRun({ boefje: 'dns-records', inputOoi: 'Hostname|internet|a', organisation: 'org-1', tookMs: 5 });
    await get('bytes', '/bytes/boefje_meta', postJson(run, headers));
    const files = [{ name: '1', content: 'aGk=', tags: ['boefje/dns-records'] }];
    const store = () =>
      get('bytes', `/bytes/raw?boefje_meta_id=${run.id}`, postJson({ status: 'COMPLETED', files }, headers));
    const first = await store();
    expect((await store()).body).toEqual(first.body);
    expect(published).toEqual([
      {
        stream: 'raw_file_received',
        body: {
          event_id: 'raw_file_received',
          created_at: expect.stringMatching(/Z$/),
          organization: 'org-1',
          raw_data: {
            id: first.body['1'],
            boefje_meta: run,
            mime_types: [{ value: 'boefje/dns-records' }],
            secure_hash: null,
            signing_provider_url: null,
            hash_retrieval_link: null,
          },
        },
      },
    ]);
  });
});

describe('failures on command', () => {
  test('requests are counted per route, refused ones too', async () => {
    await get('katalogus', '/v1/organisations');
    kat.outage('katalogus', 'error');
    expect((await get('katalogus', '/v1/organisations')).status).toBe(503);
    expect(kat.counters().katalogus).toEqual({ 'GET /v1/organisations': 2 });
    kat.resetCounters();
    expect(kat.counters().katalogus).toEqual({});
  });

  test('a hanging service answers when its outage ends, and the others answer meanwhile', async () => {
    kat.outage('katalogus', 'hang');
    const answer = get('katalogus', '/health');
    expect((await get('octopoes', '/health')).status).toBe(200);
    kat.outage('katalogus', 'none');
    expect((await answer).status).toBe(200);
  });

  test('a resetting service closes the connection', async () => {
    kat.outage('octopoes', 'reset');
    await expect(get('octopoes', '/health')).rejects.toThrow('fetch failed');
  });
});
