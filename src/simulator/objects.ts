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

/** Host names and addresses are most of what a KAT knows; the rest hangs on them. */
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

/** A host name that several organisations have: what deduplication across organisations is about. */
export function makeSharedObject(at: number) {
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
