import { z } from 'zod';
import type { BoefjeConfig, Katalogus, Organisation, Plugin, PluginList } from './kat.ts';
import type { ServiceClient } from './request.ts';
import { createSingleFlight } from './resilience.ts';

/** Katalogus filters in Python over all plug-ins, so that each call costs the same: ask for all, and keep the answer. */
const keptMs = 30_000;

/** A name or a flag that does not fit must not make an organisation, or all of them, be taken for gone. */
const organisations = z.record(
  z.string(),
  z.object({ name: z.string().nullable().catch(null), deduplicate: z.boolean().catch(false) }),
);

const mostMinutes = 2_147_483_647;

const pluginType = z.enum(['boefje', 'normalizer', 'bit']);

/** Unknown keys are dropped, `boefje_schema` (the largest) among them. */
const plugin = z
  .object({
    id: z.string().min(1),
    type: pluginType,
    name: z.string().nullish(),
    version: z.string().nullish(),
    enabled: z.boolean().default(true),
    // A bit consumes one type and says so without a list.
    consumes: z.union([z.array(z.string()), z.string().transform((one) => [one])]).default([]),
    produces: z.array(z.string()).default([]),
    scan_level: z.number().int().default(0),
    cron: z.string().nullish(),
    // Minutes. Up to 4 000 years: a deadline further away is one that Postgres and the text of a date cannot hold.
    interval: z.int().max(mostMinutes).nullish(),
    run_on: z.array(z.enum(['create', 'update'])).nullish(),
    oci_image: z.string().nullish(),
    deduplicate: z.boolean().default(false),
    // Not in every release of KAT. One that does not fit is none: the boefje itself runs.
    rate_limit_interval: z
      .number()
      .positive()
      .max(31 * 86_400)
      .nullish()
      .catch(null),
    rate_limit_group: z.string().min(1).max(200).nullish().catch(null),
  })
  .transform((read): Plugin => ({
    id: read.id,
    type: read.type,
    name: read.name ?? null,
    version: read.version ?? null,
    enabled: read.enabled,
    consumes: read.consumes,
    produces: read.produces,
    scanLevel: read.scan_level,
    cron: read.cron ?? null,
    interval: read.interval ?? null,
    runOn: read.run_on ?? null,
    ociImage: read.oci_image ?? null,
    deduplicate: read.deduplicate,
    ...(read.rate_limit_interval == null
      ? {}
      : { rateLimit: { seconds: read.rate_limit_interval, group: read.rate_limit_group ?? read.id } }),
  }));

/** A plug-in that is left out, since it does not fit. `field` and `why` name what was expected and never what came. */
export interface SkippedPlugin {
  readonly organisation: string;
  /** Its id, or where it has none its type, name and image. */
  readonly plugin: string;
  readonly field: string;
  readonly why: string;
}

type PluginFault = Omit<SkippedPlugin, 'organisation'>;
/** With its whole id, which the warning may cut; null where it has none. */
type Misfit = PluginFault & { readonly id: string | null };

/**
 * Each plug-in by itself: any user may add one, and one that does not fit must not take its organisation's others along. A
 * list of which nothing fits is rejected: to take it for empty would be to disable every schedule.
 */
const plugins = z.array(z.unknown()).transform((list, context) => {
  const fitting: Plugin[] = [];
  const faults: Misfit[] = [];
  for (const one of list) {
    const read = plugin.safeParse(one);
    if (read.success) fitting.push(read.data);
    else {
      const { path, message } = read.error.issues[0]!;
      faults.push({ id: idOf(one), plugin: nameOf(one), field: path.join('.'), why: message });
    }
  }
  if (faults.length > 0 && fitting.length === 0) {
    const { field, why } = faults[0]!;
    context.addIssue({ code: 'custom', path: [0, field], message: why });
  }
  return { fitting, faults };
});

function idOf(one: unknown): string | null {
  return z
    .object({ id: z.string() })
    .transform(({ id }) => id)
    .nullable()
    .catch(null)
    .parse(one);
}

/** Of two plug-ins with one id the one that may do less: neither may widen what the other permits. */
function isStricter(one: Plugin, other: Plugin): boolean {
  return one.enabled === other.enabled ? one.scanLevel > other.scanLevel : !one.enabled;
}

/** By what it is where it has no id: its place in the list is another one in each organisation, and at each look. */
function nameOf(one: unknown): string {
  const given = z.record(z.string(), z.unknown()).catch({}).parse(one);
  const text = (key: string) => (typeof given[key] === 'string' ? given[key].slice(0, 100) : '');
  if (text('id') !== '') return text('id');
  const type = pluginType.safeParse(given['type']);
  const name = text('name') === '' ? '' : ` ${JSON.stringify(text('name'))}`;
  const image = text('oci_image') === '' ? '' : ` of ${text('oci_image')}`;
  return `${type.success ? type.data : 'plug-in'}${name}${image} without an id`;
}

/** `settings` are decrypted secrets and `environment` may be: neither is named here, so parsing drops them. */
const configuration = z.object({ boefje_id: z.string(), organisation_id: z.string(), enabled: z.boolean() });

const configurations = z.array(
  configuration.extend({ duplicates: z.array(configuration).nullish() }).transform((read): BoefjeConfig => ({
    boefjeId: read.boefje_id,
    organisationId: read.organisation_id,
    enabled: read.enabled,
    duplicates: (read.duplicates ?? []).map((twin) => ({
      organisationId: twin.organisation_id,
      enabled: twin.enabled,
    })),
  })),
);

/** Far more than any KAT has; plug-ins that changed over the years must not stay for ever. */
const mostShared = 10_000;
const mostTold = 10_000;

/**
 * One object for all equal plug-ins: of three hundred organisations with the 103 that ship the boefje actor held 10 MB less so,
 * and had 19 MB of old generation instead of 37, while their lists are kept.
 */
function sharing(): (plugin: Plugin) => Plugin {
  const shared = new Map<string, Plugin>();
  return (plugin) => {
    const key = JSON.stringify(plugin);
    const known = shared.get(key);
    if (known !== undefined) return known;
    if (shared.size >= mostShared) shared.clear();
    shared.set(key, plugin);
    return plugin;
  };
}

/** kat-contract §5. */
export function createKatalogus(
  client: ServiceClient,
  now: () => number,
  onSkipped?: (skipped: SkippedPlugin) => void,
): Katalogus {
  const organisationLists = createSingleFlight<ReadonlyMap<string, Organisation>>({ ttlMs: keptMs, now });
  const configLists = createSingleFlight<readonly BoefjeConfig[]>({ ttlMs: keptMs, now });
  const pluginLists = createSingleFlight<PluginList | null>({ ttlMs: keptMs, now });
  const share = sharing();
  // Every organisation has the same plug-ins and is asked every minute: a fault of one is reported once.
  const told = new Set<string>();
  const tell = (organisation: string, fault: PluginFault) => {
    const key = JSON.stringify(fault);
    if (told.has(key)) return;
    if (told.size >= mostTold) told.clear();
    told.add(key);
    onSkipped?.({ organisation, ...fault });
  };

  const organisationsOf: Katalogus['organisations'] = (options) =>
    organisationLists.get(
      '',
      async () => {
        const answer = await client.ask({ path: ['v1', 'organisations'], answer: organisations });
        if (!answer.ok) return new Map();
        return new Map(
          Object.entries(answer.value).map(([id, { name, deduplicate }]) => [
            id,
            { id, name: name ?? id, deduplicate },
          ]),
        );
      },
      options,
    );

  const knows: Katalogus['knows'] = async (organisation, { fresh = false } = {}) => {
    if (!fresh && (await organisationsOf()).has(organisation)) return true;
    // It may have been created a moment ago. However many ask, one request follows the one in flight.
    return (await organisationsOf({ fresh: true })).has(organisation);
  };

  return {
    organisations: organisationsOf,
    knows,

    plugins: async (organisation, options = {}) => {
      // Katalogus answers the plug-ins that ship with it for any name, also for one that it never heard.
      const isKnown = options.known?.has(organisation) ?? (await knows(organisation, options));
      if (!isKnown) return null;
      return pluginLists.get(
        organisation,
        async () => {
          const path = ['v1', 'organisations', organisation, 'plugins'];
          const answer = await client.ask({ path, answer: plugins, declines: [404] });
          if (!answer.ok) return null;
          const { fitting, faults } = answer.value;
          for (const { id: _id, ...fault } of faults) tell(organisation, fault);
          const readable = new Map<string, Plugin>();
          for (const one of fitting) {
            const other = readable.get(one.id);
            if (other === undefined || isStricter(one, other)) readable.set(one.id, share(one));
          }
          const unreadable = faults.flatMap(({ id }) => (id === null || readable.has(id) ? [] : [id]));
          return Object.assign(readable, { unreadable: new Set(unreadable) });
        },
        options,
      );
    },

    boefjeConfigs: (organisation, boefje) =>
      configLists.get(JSON.stringify([organisation, boefje]), async () => {
        // No `limit`: with 0 Katalogus answers nothing at all.
        const query = { organisation_id: organisation, boefje_id: boefje, enabled: 'true', with_duplicates: 'true' };
        const answer = await client.ask({ path: ['v1', 'configs'], query, answer: configurations, declines: [404] });
        return answer.ok ? answer.value : [];
      }),
  };
}
