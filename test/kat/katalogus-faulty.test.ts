import { describe, expect, test } from 'vitest';
import { boefje, kat, katalogusWith } from './kat-double.ts';

describe('plug-ins that do not fit', () => {
  test('a plug-in that does not fit is left out alone, and named once with what is wrong with it', async () => {
    const answer = katalogusWith(
      () => ['aa', 'bb'],
      () => [{ ...boefje, id: 'broken', consumes: { secret: 's3cret' } }, boefje, { type: 's3cret' }],
    );
    const { services, skipped } = await kat(answer);
    for (const organisation of ['aa', 'bb']) {
      const plugins = (await services.katalogus.plugins(organisation))!;
      expect([...plugins.keys()]).toEqual(['dns-records']);
      // It is there, enabled or not: it must not be taken for gone.
      expect(plugins.unreadable?.has('broken')).toBe(true);
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

  test('an interval that no date can hold leaves its plug-in out, not the whole look', async () => {
    const answer = katalogusWith(
      () => ['aa'],
      () => [...[1e12, 5e-324, 2 ** 31].map((interval) => ({ ...boefje, id: `${interval}`, interval })), boefje],
    );
    const { services, skipped } = await kat(answer);
    expect([...(await services.katalogus.plugins('aa'))!.keys()]).toEqual([boefje.id]);
    expect(skipped.map(({ field }) => field)).toEqual(['interval', 'interval', 'interval']);
  });

  test('of two plug-ins with one id the stricter counts, in whatever order, and a long id is known whole', async () => {
    const long = `b${'x'.repeat(200)}`;
    const twins = [
      { ...boefje, enabled: false, scan_level: 2 },
      { ...boefje, enabled: true, scan_level: 0 },
      { ...boefje, consumes: 's3cret', scan_level: 'x' },
      { ...boefje, id: 'levels', scan_level: 1 },
      { ...boefje, id: 'levels', scan_level: 3 },
      { ...boefje, id: long, scan_level: 'x' },
    ];
    for (const list of [twins, twins.toReversed()]) {
      const { services } = await kat(
        katalogusWith(
          () => ['aa'],
          () => list,
        ),
      );
      const plugins = (await services.katalogus.plugins('aa'))!;
      expect(plugins.get(boefje.id)?.enabled).toBe(false);
      expect(plugins.get('levels')?.scanLevel).toBe(3);
      expect([...plugins.unreadable!]).toEqual([long]);
    }
  });

  test('plug-ins without an id are reported once each by what they are, at any place in any list', async () => {
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
    const answer = katalogusWith(
      () => ['aa', 'bb', 'cc', 'dd'],
      () => {
        looks += 1;
        const from = looks % nameless.length;
        return [...nameless.slice(from), boefje, ...nameless.slice(0, from)];
      },
    );
    const { services, skipped } = await kat(answer);
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

  test('the record of reported plug-ins is bounded: a catalogue that keeps changing does not fill memory', async () => {
    let looks = 0;
    const broken = (at: number) => ({ ...boefje, id: `broken-${at}`, consumes: 7 });
    const answer = katalogusWith(
      () => ['aa'],
      () => {
        looks += 1;
        const from = looks === 2 ? 1 : 0;
        return [boefje, ...Array.from({ length: 10_000 }, (_, at) => broken(from + at))];
      },
    );
    const { services, skipped } = await kat(answer);
    for (let look = 0; look < 3; look += 1) await services.katalogus.plugins('aa', { fresh: true });
    // One plug-in too many empties the record: plug-ins that were reported before are reported again.
    expect(skipped.length).toBeGreaterThan(10_001);
    expect(skipped.filter(({ plugin }) => plugin === 'broken-10000')).toHaveLength(1);
  });

  test('a list of which no plug-in fits is rejected, not taken for an organisation without plug-ins', async () => {
    const answer = katalogusWith(
      () => ['aa'],
      () => [{ ...boefje, consumes: 7 }, { name: 'no id' }],
    );
    const { services, skipped } = await kat(answer);
    await expect(services.katalogus.plugins('aa')).rejects.toMatchObject({
      code: 'SERVICE_REJECTED',
      fields: { service: 'katalogus', path: '/v1/organisations/aa/plugins', field: '0.consumes' },
    });
    expect(skipped).toEqual([]);
  });
});
