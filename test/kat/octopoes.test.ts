import { describe, expect, test } from 'vitest';
import { kat } from './kat-double.ts';
import type { Received } from './http-double.ts';

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

  /** As Octopoes has it: one client without a node, and all are declined. */
  const withNodesBut =
    (...nodeless: readonly string[]) =>
    ({ query }: Received) =>
      query.getAll('clients').some((client) => nodeless.includes(client))
        ? { status: 404, body: { detail: 'Node not found' } }
        : { body: Object.fromEntries(query.getAll('clients').map((client) => [client, host('a', 3)])) };

  test('organisations without a node do not take from the others that they have the OOI', async () => {
    const { services, received, time, declined } = await kat(withNodesBut('gone1', 'gone2', 'gone3'));
    const there = Array.from({ length: 47 }, (_, at) => `org-${at}`);
    const organisations = [...there.slice(0, 9), 'gone1', ...there.slice(9, 30), 'gone2', 'gone3', ...there.slice(30)];
    const found = await services.octopoes.objectClients('Hostname|internet|a', organisations);
    expect([...found.keys()].sort()).toEqual(there.toSorted());
    // Two for each step down to each of them, at most.
    expect(received.length).toBeLessThanOrEqual(1 + 3 * 2 * 6);
    expect(declined.map(({ member }) => member).sort()).toEqual(['gone1', 'gone2', 'gone3']);
    expect(declined[0]).toMatchObject({ kind: 'organisation', organisation: null, status: 404 });

    const before = received.length;
    const next = await services.octopoes.objectClients('Hostname|internet|b', organisations);
    expect(next.size).toBe(47);
    expect(received.length, 'unknown ones are not searched for again').toBe(before + 1);

    time.advance(5 * 60_000);
    expect((await services.octopoes.objectClients('Hostname|internet|c', organisations)).size).toBe(47);
    expect(received.length).toBeGreaterThan(before + 2);
    expect(declined, 'each is reported once').toHaveLength(3);
  });

  test('an organisation that has a node again is asked about after five minutes, and reported when it loses it', async () => {
    let answer = withNodesBut('gone1');
    const { services, time, declined } = await kat((request) => answer(request));
    const ask = () => services.octopoes.objectClients('Hostname|internet|a', ['gone1', 'org-1']);
    expect([...(await ask()).keys()]).toEqual(['org-1']);
    answer = withNodesBut();
    time.advance(5 * 60_000);
    expect([...(await ask()).keys()].sort()).toEqual(['gone1', 'org-1']);
    answer = withNodesBut('gone1');
    expect([...(await ask()).keys()]).toEqual(['org-1']);
    expect(declined).toHaveLength(2);
  });

  test('an organisation that is asked about alone, or with others that are not there either, has nothing', async () => {
    const { services, received, declined } = await kat(withNodesBut('gone1', 'gone2'));
    expect(await services.octopoes.objectClients('Hostname|internet|a', ['gone1', 'gone2'])).toEqual(new Map());
    expect(await services.octopoes.objectClients('Hostname|internet|b', ['gone1'])).toEqual(new Map());
    expect(received).toHaveLength(3);
    expect(declined).toHaveLength(2);
  });

  test('a type that it has no model for does not take the objects of the others along', async () => {
    const { services, declined } = await kat(({ query }) => {
      const types = query.getAll('types');
      if (types.includes('Moon')) return { status: 400, body: { detail: 'Type not found' } };
      const items =
        Number(query.get('offset')) === 0 ? types.map((type) => ({ ...host(type, 2), object_type: type })) : [];
      return { body: { count: items.length, items } };
    });
    const query = { types: ['Hostname', 'Moon', 'Network', 'URL'], scanLevels: [2] };
    const found = (await Array.fromAsync(services.octopoes.objects('aa', query))).flat();
    expect(found.map(({ objectType }) => objectType).sort()).toEqual(['Hostname', 'Network', 'URL']);
    expect(declined).toEqual([{ kind: 'type', member: 'Moon', organisation: 'aa', status: 400 }]);
    // Nothing of it is taken: the boefjes that consume it must not count as looked at.
    await expect(
      Array.fromAsync(services.octopoes.objects('aa', { types: ['Moon'], scanLevels: [2] })),
    ).rejects.toMatchObject({ code: 'SERVICE_REJECTED' });
  });

  test('an OOI that it cannot load does not take the others along; a request that it takes nothing of is rejected', async () => {
    let broken = false;
    const { services, received, declined } = await kat(({ body }) => {
      const asked = JSON.parse(body) as string[];
      if (broken || asked.includes('Moon|internet|a')) return { status: 400, body: { detail: 'Type not found' } };
      return { body: Object.fromEntries(asked.map((name) => [name, host(name, 2)])) };
    });
    const references = Array.from({ length: 1_000 }, (_, at) => (at === 700 ? 'Moon|internet|a' : `r${at}`));
    const found = await services.octopoes.objectsByReference('aa', references);
    expect(found.size).toBe(999);
    expect(received.length).toBeLessThanOrEqual(21);
    expect(declined).toEqual([{ kind: 'ooi', member: 'Moon|internet|a', organisation: 'aa', status: 400 }]);

    broken = true;
    const rejected = services.octopoes.objectsByReference('aa', references);
    await expect(rejected).rejects.toMatchObject({ code: 'SERVICE_REJECTED' });
    broken = false;
    expect((await services.octopoes.objectsByReference('aa', references)).size, 'no failure was counted').toBe(999);
    expect(declined).toHaveLength(1);
  });
});
