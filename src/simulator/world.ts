import { boefjes, normalizers, type SimulatedBoefje, type SimulatedPlugin } from './plugins.ts';
import { type Random, seeded } from './random.ts';

/** Everything that a simulated KAT knows. Tests and the demo change it while it runs; the simulated services answer from it. */
export interface World {
  readonly organisations: Map<string, SimulatedOrganisation>;
}

export interface SimulatedOrganisation {
  readonly id: string;
  readonly name: string;
  deduplicate: boolean;
  readonly plugins: Map<string, SimulatedPlugin>;
  /** Settings per boefje: equal settings in two organisations make their configurations duplicates. */
  readonly settings: Map<string, Readonly<Record<string, string>>>;
  /** By reference. */
  readonly objects: Map<string, SimulatedObject>;
  /** Objects that exist but that no normalizer has found yet. */
  readonly undiscovered: SimulatedObject[];
  readonly recipes: readonly string[];
  /** Whether Octopoes has none for it, as after a node was lost: Katalogus knows it all the same. */
  readonly nodeless?: boolean;
}

interface WorldOptions {
  readonly organisations: number;
  /** Per organisation, known from the start. A fifth as many more wait to be discovered. */
  readonly objects: number;
  /** Enabled per organisation. */
  readonly boefjes: number;
  /** Report recipes per organisation. */
  readonly recipes?: number;
  readonly seed: number;
}

/** Every tenth object belongs to all organisations, as a hosting party's or a supplier's do. */
const sharedEvery = 10;
/** Most objects inherit level 1 or 2; few are declared 4. */
const levels = [0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4];

/** The same options make the same world. */
export function createWorld(options: WorldOptions): World {
  const random = seeded(options.seed);
  const menu = usefulFirst(boefjes(options.boefjes), random);
  // Half of the boefjes are enabled everywhere, so that deduplication finds something; the rest at random.
  const everywhere = menu.slice(0, Math.ceil(options.boefjes / 2));
  const elsewhere = menu.slice(everywhere.length);
  const organisations = new Map<string, SimulatedOrganisation>();
  for (let number = 1; number <= options.organisations; number += 1) {
    const chosen = [...everywhere, ...random.shuffle(elsewhere)].slice(0, options.boefjes);
    organisations.set(`org-${number}`, createOrganisation(number, chosen, options, random));
  }
  return { organisations };
}

function createOrganisation(
  number: number,
  enabled: readonly SimulatedBoefje[],
  options: WorldOptions,
  random: Random,
): SimulatedOrganisation {
  const id = `org-${number}`;
  const plugins = new Map<string, SimulatedPlugin>();
  for (const plugin of [...boefjes(options.boefjes), ...normalizers()]) plugins.set(plugin.id, plugin);
  const settings = new Map<string, Record<string, string>>();
  for (const { id: boefje, boefje_schema: schema } of enabled) {
    plugins.get(boefje)!.enabled = true;
    settings.set(boefje, schema === null ? {} : { API_KEY: `key-of-${id}` });
  }
  const hidden = Math.floor(options.objects / 5);
  const all = Array.from({ length: options.objects + hidden }, (_, at) => createObject(number, at, options, random));
  return {
    id,
    name: `Organisation ${number}`,
    deduplicate: true,
    plugins,
    settings,
    objects: new Map(all.slice(0, options.objects).map((object) => [object.reference, object])),
    undiscovered: all.slice(options.objects),
    recipes: Array.from({ length: options.recipes ?? 2 }, () => random.uuid()),
  };
}

function createObject(organisation: number, at: number, options: WorldOptions, random: Random): SimulatedObject {
  const shared = at % sharedEvery === sharedEvery - 1;
  const address = (organisation - 1) * options.objects * 2 + at + 1;
  const made = shared ? makeSharedObject(at) : makeObject({ domain: `org-${organisation}.example`, at, address });
  return { ...made, level: random.pick(levels), profile: random.chance(0.2) ? 'declared' : 'inherited' };
}

/**
 * Shuffled, but the boefjes that find something in this world come first: they consume a type that it has, and a normalizer
 * consumes what they produce. `dns-records` is the first, so that the smallest world has work for every scheduler.
 */
function usefulFirst(all: readonly SimulatedBoefje[], random: Random): SimulatedBoefje[] {
  const parsed = new Set(normalizers().flatMap((normalizer) => normalizer.consumes));
  const usefulness = (boefje: SimulatedBoefje) => {
    if (boefje.id === 'dns-records') return 0;
    if (!boefje.consumes.some((type) => simulatedTypes.has(type))) return 3;
    return boefje.produces.some((type) => parsed.has(type)) ? 1 : 2;
  };
  return random.shuffle(all).sort((a, b) => usefulness(a) - usefulness(b));
}

/** The next undiscovered object becomes known, as when a normalizer finds one; null once all are. */
export function discover(organisation: SimulatedOrganisation): SimulatedObject | null {
  const found = organisation.undiscovered.shift();
  if (found === undefined) return null;
  organisation.objects.set(found.reference, found);
  return found;
}

/** One object in each organisation that has it; several where it is shared. The level may differ between them. */
export type Arrival = readonly { readonly organisation: SimulatedOrganisation; readonly object: SimulatedObject }[];

/** Takes every object out of the world, so that each can arrive again (`arrive`) while a demo watches. */
export function depart(world: World): Arrival[] {
  const all = [...world.organisations.values()].flatMap((organisation) =>
    [...organisation.objects.values()].map((object) => ({ organisation, object })),
  );
  for (const { objects } of world.organisations.values()) objects.clear();
  return [...Map.groupBy(all, ({ object }) => object.reference).values()];
}

export function arrive(arrival: Arrival): void {
  for (const { organisation, object } of arrival) organisation.objects.set(object.reference, object);
}

/** Found objects have numbers from here on: those of the beginning have smaller ones. */
const foundFrom = 1_000_000;

/** The `number`-th object that is found in a world that goes on: always the same one, of one organisation. */
export function findObject(world: World, number: number, random: Random): Arrival {
  const organisations = [...world.organisations.values()];
  const organisation = organisations[number % organisations.length]!;
  const at = foundFrom + Math.floor(number / organisations.length);
  const made = makeObject({ domain: `${organisation.id}.example`, at, address: 2 ** 24 - 1 - (number % 2 ** 22) });
  return [{ organisation, object: { ...made, level: random.pick(levels), profile: 'inherited' } }];
}

/** An object (OOI) of the simulated Octopoes. */
export interface SimulatedObject {
  readonly reference: string;
  readonly objectType: string;
  /** 0–4; null where it has no scan profile yet. May be changed while the world runs. */
  level: number | null;
  readonly profile: 'declared' | 'inherited' | 'empty';
  /** What the type adds to the common keys. */
  readonly fields: Readonly<Record<string, unknown>>;
}

type Make = (place: { domain: string; at: number; address: number }) => Omit<SimulatedObject, 'level' | 'profile'>;

const network = 'Network|internet';

const hostname: Make = ({ domain, at }) => {
  const name = `host-${at}.${domain}`;
  return object('Hostname', `internet|${name}`, { network, name, dns_zone: null, registered_domain: null });
};

const addressV4: Make = ({ address }) => {
  const text = dotted(address);
  return object('IPAddressV4', `internet|${text}`, { network, address: text, netblock: null });
};

const addressV6: Make = ({ address }) => {
  const text = `2001:db8::${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`;
  return object('IPAddressV6', `internet|${text}`, { network, address: text, netblock: null });
};

const port: Make = ({ address }) =>
  object('IPPort', `internet|${dotted(address)}|tcp|443`, {
    address: `IPAddressV4|internet|${dotted(address)}`,
    protocol: 'tcp',
    port: 443,
    state: 'open',
  });

const service: Make = ({ address }) =>
  object('IPService', `internet|${dotted(address)}|tcp|443|https`, {
    ip_port: `IPPort|internet|${dotted(address)}|tcp|443`,
    service: 'Service|https',
  });

const website: Make = ({ domain, at, address }) =>
  object('Website', `internet|${dotted(address)}|tcp|443|https|internet|host-${at}.${domain}`, {
    ip_service: `IPService|internet|${dotted(address)}|tcp|443|https`,
    hostname: `Hostname|internet|host-${at}.${domain}`,
    certificate: null,
  });

const url: Make = ({ domain, at }) =>
  object('HostnameHTTPURL', `https|internet|host-${at}.${domain}|443|/`, {
    network,
    scheme: 'https',
    port: 443,
    path: '/',
    netloc: `Hostname|internet|host-${at}.${domain}`,
  });

/** Most objects of a KAT are host names and addresses; the others refer to them. */
const makers: readonly Make[] = [
  hostname,
  addressV4,
  hostname,
  addressV4,
  website,
  hostname,
  addressV6,
  service,
  url,
  port,
];

/** The types of objects that the world has. */
export const simulatedTypes: ReadonlySet<string> = new Set(
  makers.map((make) => make({ domain: 'example', at: 0, address: 0 }).objectType),
);

/** The `at`-th object of a domain; `address` makes its IP address unique in the world. */
export function makeObject(place: { domain: string; at: number; address: number }) {
  return makers[place.at % makers.length]!(place);
}

/** A host name that several organisations have: it is scanned once, by deduplication across organisations. */
function makeSharedObject(at: number) {
  return hostname({ domain: 'shared.example', at, address: 0 });
}

/** The object as Octopoes answers it: kat-contract §6. */
export function ooiOf(object: SimulatedObject) {
  const { reference, objectType, level, profile, fields } = object;
  return {
    object_type: objectType,
    scan_profile:
      level === null ? null : { scan_profile_type: level === 0 ? 'empty' : profile, reference, level, user_id: null },
    user_id: null,
    primary_key: reference,
    ...fields,
  };
}

function object(objectType: string, natural: string, fields: Record<string, unknown>) {
  return { reference: `${objectType}|${natural}`, objectType, fields };
}

/** 10.0.0.0/8 has room for sixteen million. */
function dotted(address: number): string {
  return `10.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
