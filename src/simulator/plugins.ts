import facts from './plugins.json' with { type: 'json' };

/** A plug-in as Katalogus answers it, per organisation: kat-contract §5. `enabled` may be changed while the world runs. */
export type SimulatedPlugin = SimulatedBoefje | SimulatedNormalizer;

interface PluginBase {
  readonly id: string;
  readonly name: string;
  readonly version: string | null;
  readonly created: string | null;
  readonly description: string;
  enabled: boolean;
  readonly static: boolean;
  readonly consumes: readonly string[];
  readonly produces: readonly string[];
}

export interface SimulatedBoefje extends PluginBase {
  readonly type: 'boefje';
  readonly scan_level: number;
  readonly boefje_schema: Readonly<Record<string, unknown>> | null;
  cron: string | null;
  /** Minutes. */
  interval: number | null;
  run_on: ('create' | 'update')[] | null;
  readonly runnable_hash: string;
  readonly oci_image: string | null;
  readonly oci_arguments: readonly string[];
  deduplicate: boolean;
  /** Seconds between two runs of all boefjes with that group; absent in most releases of KAT. */
  rate_limit_interval?: number;
  rate_limit_group?: string;
}

export interface SimulatedNormalizer extends PluginBase {
  readonly type: 'normalizer';
}

type Fact = (typeof facts)[number];

const settingsSchema = {
  title: 'Arguments',
  type: 'object',
  properties: { API_KEY: { title: 'API_KEY', type: 'string', maxLength: 128 } },
  required: ['API_KEY'],
};

/** The boefjes that ship with KAT, all disabled; for a larger `count`, numbered variants of them: `dns-records-2`. */
export function boefjes(count = 0): SimulatedBoefje[] {
  const shipped = facts.filter((fact) => fact.type === 'boefje');
  const wanted = Math.max(count, shipped.length);
  return Array.from({ length: wanted }, (_, at) =>
    boefje(shipped[at % shipped.length]!, Math.floor(at / shipped.length) + 1),
  );
}

/** The normalizers that ship with KAT, all enabled. */
export function normalizers(): SimulatedNormalizer[] {
  return facts
    .filter((fact) => fact.type === 'normalizer')
    .map((fact) => ({ ...base(fact, fact.id), type: 'normalizer', enabled: true }));
}

function boefje(fact: Fact, round: number): SimulatedBoefje {
  const id = round === 1 ? fact.id : `${fact.id}-${round}`;
  return {
    ...base(fact, id),
    type: 'boefje',
    enabled: false,
    scan_level: fact.scan_level ?? 0,
    boefje_schema: fact.has_settings === true ? settingsSchema : null,
    cron: fact.cron ?? null,
    interval: fact.interval ?? null,
    run_on: (fact.run_on as ('create' | 'update')[] | null | undefined) ?? null,
    runnable_hash: Buffer.from(id).toString('hex').padEnd(64, '0').slice(0, 64),
    oci_image: fact.oci_image ?? null,
    oci_arguments: fact.oci_arguments ?? [],
    deduplicate: fact.deduplicate === true,
  };
}

function base(fact: Fact, id: string) {
  return {
    id,
    name: fact.name,
    version: null,
    created: null,
    description: fact.name,
    static: true,
    consumes: fact.consumes,
    produces: fact.produces,
  };
}
