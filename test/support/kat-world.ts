import { randomUUID } from 'node:crypto';
import type { SimulatedObject, SimulatedOrganisation, World } from '../../src/simulator/world.ts';
import {
  boefjes,
  normalizers,
  type SimulatedBoefje,
  type SimulatedNormalizer,
  type SimulatedPlugin,
} from '../../src/simulator/plugins.ts';

const shipped = boefjes()[0]!;
const shippedNormalizer = normalizers()[0]!;

/** An enabled boefje of level 1 that consumes host names, by default. */
export function boefje(id: string, fields: Partial<SimulatedBoefje> = {}): SimulatedBoefje {
  const wanted = { id, name: id, enabled: true, consumes: ['Hostname'], scan_level: 1, boefje_schema: null };
  return { ...shipped, ...wanted, produces: [`boefje/${id}`], deduplicate: false, ...fields };
}

export function normalizer(id: string, fields: Partial<SimulatedNormalizer> = {}): SimulatedNormalizer {
  return { ...shippedNormalizer, id, name: id, enabled: true, consumes: [`boefje/${id}`], ...fields };
}

/** A host name with clearance 2 by default. */
export function hostname(name: string, level: number | null = 2): SimulatedObject {
  const reference = `Hostname|internet|${name}`;
  const fields = { network: 'Network|internet', name, dns_zone: null, registered_domain: null };
  return { reference, objectType: 'Hostname', level, profile: 'declared', fields };
}

/**
 * An organisation that is in `world` from now on, under a name of its own unless `id` says one. Rota keeps what Katalogus says for 30 s: a test
 * that needs other plug-ins takes another organisation.
 */
export function addOrganisation(
  world: World,
  has: {
    id?: string;
    plugins?: readonly SimulatedPlugin[];
    objects?: readonly SimulatedObject[];
    deduplicate?: boolean;
    nodeless?: boolean;
  } = {},
): SimulatedOrganisation {
  const id = has.id ?? `org-${randomUUID().slice(0, 8)}`;
  const plugins = has.plugins ?? [];
  const organisation: SimulatedOrganisation = {
    id,
    name: id,
    deduplicate: has.deduplicate ?? false,
    plugins: new Map(plugins.map((plugin) => [plugin.id, plugin])),
    settings: new Map(plugins.filter(({ type }) => type === 'boefje').map((plugin) => [plugin.id, {}])),
    objects: new Map((has.objects ?? []).map((object) => [object.reference, object])),
    undiscovered: [],
    recipes: [],
    nodeless: has.nodeless ?? false,
  };
  world.organisations.set(id, organisation);
  return organisation;
}

export function emptyWorld(): World {
  return { organisations: new Map() };
}
