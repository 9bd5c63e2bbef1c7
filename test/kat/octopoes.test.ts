import { describe, expect, test } from 'vitest';
import { kat } from './kat-double.ts';

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
