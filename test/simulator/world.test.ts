import { expect, test } from 'vitest';
import { arrive, createWorld, depart, discover } from '../../src/simulator/world.ts';

const options = { organisations: 3, objects: 40, boefjes: 6, seed: 11 };

test('the same seed makes the same world, another seed another one', () => {
  expect(createWorld(options)).toEqual(createWorld(options));
  expect(createWorld(options)).not.toEqual(createWorld({ ...options, seed: 12 }));
});

test('every organisation has the objects and boefjes asked for, at levels 0 to 4', () => {
  const world = createWorld(options);
  expect([...world.organisations.keys()]).toEqual(['org-1', 'org-2', 'org-3']);
  for (const { objects, plugins } of world.organisations.values()) {
    expect(objects.size).toBe(40);
    expect([...plugins.values()].filter(({ type, enabled }) => type === 'boefje' && enabled)).toHaveLength(6);
    for (const { level } of objects.values()) expect([0, 1, 2, 3, 4]).toContain(level);
  }
});

test('references are those of real KAT objects', () => {
  const references = [...createWorld(options).organisations.get('org-2')!.objects.keys()];
  expect(references).toContain('Hostname|internet|host-0.org-2.example');
  expect(references).toContain('Hostname|internet|host-9.shared.example');
  expect(references.find((reference) => reference.startsWith('IPAddressV4|'))).toMatch(
    /^IPAddressV4\|internet\|10\.0\.\d+\.\d+$/,
  );
});

test('organisations share host names and no addresses', () => {
  const [first, second] = [...createWorld(options).organisations.values()].map(({ objects }) => [...objects.keys()]);
  const common = first!.filter((reference) => second!.includes(reference));
  expect(common.length).toBeGreaterThan(0);
  expect(common.every((reference) => reference.endsWith('.shared.example'))).toBe(true);
});

test('more boefjes than ship with KAT are numbered variants of them', () => {
  const { plugins } = createWorld({ ...options, boefjes: 60 }).organisations.get('org-1')!;
  const enabled = [...plugins.values()].filter(({ type, enabled }) => type === 'boefje' && enabled);
  expect(enabled).toHaveLength(60);
  expect(plugins.has('adr-validator-2')).toBe(true);
});

test('discovered objects become known, until none is left', () => {
  const organisation = createWorld(options).organisations.get('org-1')!;
  for (let at = 0; at < 8; at += 1) {
    const found = discover(organisation)!;
    expect(organisation.objects.get(found.reference)).toBe(found);
  }
  expect(discover(organisation)).toBeNull();
});

test('objects that departed arrive again, shared ones in all their organisations at once', () => {
  const world = createWorld(options);
  const arrivals = depart(world);
  for (const { objects } of world.organisations.values()) expect(objects.size).toBe(0);
  const shared = arrivals.find((arrival) => arrival.length > 1)!;
  arrive(shared);
  const reference = shared[0]!.object.reference;
  for (const { objects } of world.organisations.values()) expect([...objects.keys()]).toEqual([reference]);
});
