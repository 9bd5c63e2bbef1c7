import { attempt, type Result } from '../../src/mailbox/failure.ts';
import type { Katalogus, Organisation, Plugin, PluginList } from '../../src/kat/kat.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { inParallel } from './parallel.ts';

/** An organisation's plug-ins by id; null where Katalogus does not know the organisation. */
export type Plugins = PluginList | null;

/** Below the clients' 10 connections, so that one lane never takes them all. */
const width = 8;

/**
 * Asks Katalogus once per organisation; an outage is the answer of that organisation alone. `known`: the organisations,
 * where they were asked for just before.
 */
export async function pluginsOf(
  { kat }: Pick<Setup, 'kat'>,
  organisations: Iterable<string>,
  options: { fresh?: boolean; known?: Known } = {},
): Promise<ReadonlyMap<string, Result<Plugins>>> {
  const asked = [...new Set(organisations)];
  // One question for all that are not known, and not one for each: a thousand made-up names must not hold up the rest.
  const known = await attempt(Promise.resolve(options.known ?? knownOf(kat.katalogus, asked, options.fresh ?? false)));
  const answers = await inParallel(asked, width, (organisation) =>
    attempt(kat.katalogus.plugins(organisation, known.ok ? { ...options, known: known.value } : options)),
  );
  return new Map(asked.map((organisation, at) => [organisation, answers[at]!]));
}

type Known = ReadonlyMap<string, Organisation>;

/** One that the cached list does not have may have been created a moment ago. */
async function knownOf(katalogus: Katalogus, asked: readonly string[], fresh: boolean): Promise<Known> {
  if (asked.length === 0) return new Map();
  const known = await katalogus.organisations({ fresh });
  return fresh || asked.every((one) => known.has(one)) ? known : katalogus.organisations({ fresh: true });
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
