import type { Katalogus, Ooi, Organisation, Plugin, PluginList } from '../../src/kat/kat.ts';
import { attempt, type Failure, type Result } from '../../src/mailbox/failure.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';

/** An organisation's plug-ins by id; null where Katalogus does not know the organisation. */
export type Plugins = PluginList | null;

/** Below the clients' 10 connections, so that one lane never takes them all. */
const katalogusWidth = 8;

/**
 * Asks Katalogus once per organisation; an outage is the answer of that organisation alone. `known`: the organisations,
 * where they were asked for just before.
 */
export async function pluginsOf(
  { kat }: Pick<Setup, 'kat'>,
  organisations: Iterable<string>,
  options: { fresh?: boolean; known?: OrganisationsById } = {},
): Promise<ReadonlyMap<string, Result<Plugins>>> {
  const asked = [...new Set(organisations)];
  // One question for all that are not known, and not one for each: a thousand made-up names must not hold up the rest.
  const known = await attempt(Promise.resolve(options.known ?? knownOf(kat.katalogus, asked, options.fresh ?? false)));
  const answers = await inParallel(asked, katalogusWidth, (organisation) =>
    attempt(kat.katalogus.plugins(organisation, known.ok ? { ...options, known: known.value } : options)),
  );
  return new Map(asked.map((organisation, at) => [organisation, answers[at]!]));
}

type OrganisationsById = ReadonlyMap<string, Organisation>;

/** One that the cached list does not have may have been created a moment ago. */
async function knownOf(katalogus: Katalogus, asked: readonly string[], fresh: boolean): Promise<OrganisationsById> {
  if (asked.length === 0) return new Map();
  const known = await katalogus.organisations({ fresh });
  return fresh || asked.every((one) => known.has(one)) ? known : katalogus.organisations({ fresh: true });
}

/** Of lists that are kept: the look of each minute and its default limits ask for them again. */
const enabledIn = new WeakMap<PluginList, readonly Plugin[]>();

/** The boefjes that are enabled. */
export function enabledOf(plugins: Plugins): readonly Plugin[] {
  if (plugins === null) return [];
  const known = enabledIn.get(plugins);
  if (known !== undefined) return known;
  const enabled = [...plugins.values()].filter((it) => it.type === 'boefje' && it.enabled);
  enabledIn.set(plugins, enabled);
  return enabled;
}

/** Boefjes by the type of OOI they consume, disabled ones too. */
export function boefjesByType(plugins: Iterable<Plugin>): ReadonlyMap<string, readonly Plugin[]> {
  const byType = new Map<string, Plugin[]>();
  for (const plugin of plugins) {
    if (plugin.type !== 'boefje') continue;
    for (const type of new Set(plugin.consumes)) {
      const consumers = byType.get(type);
      if (consumers) consumers.push(plugin);
      else byType.set(type, [plugin]);
    }
  }
  return byType;
}

/** Requests of a batch in flight to Octopoes, one per organisation: those of two batches within its client's 10 connections. */
const octopoesWidth = 5;

/**
 * The OOIs that exist, in one request per organisation. An organisation whose request fails is absent, and its failure is in
 * `out`.
 */
export async function ooisOf(
  setup: Setup,
  asked: readonly { readonly organisation: string; readonly ooi: string | null }[],
  out: Map<string, Failure>,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Ooi>>> {
  const oois = new Map<string, ReadonlyMap<string, Ooi>>();
  const byOrganisation = Map.groupBy(
    asked.filter(({ ooi }) => ooi !== null),
    ({ organisation }) => organisation,
  );
  await inParallel([...byOrganisation], octopoesWidth, async ([organisation, those]) => {
    const references = [...new Set(those.map(({ ooi }) => ooi!))];
    const answer = await attempt(setup.kat.octopoes.objectsByReference(organisation, references));
    if (answer.ok) oois.set(organisation, answer.value);
    else out.set(organisation, answer.failure);
  });
  return oois;
}

/** Runs `work` over all items, at most `width` at a time; answers are in the order of the items. The first error rejects. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers = Array.from<R>({ length: items.length });
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      answers[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  return answers;
}
