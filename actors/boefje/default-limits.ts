import type { Plugin } from '../../src/kat/kat.ts';
import type { DefaultLimit } from '../../src/protocol/requests.ts';

/** More than KAT has boefjes with a limit; each limit is read at each pass. */
const mostDefaults = 200;

/**
 * What Katalogus gives as limits of boefjes that are enabled somewhere: those with the same group share one. Of two intervals the longer
 * one holds, since the group is a service that has one rate.
 */
export function defaultLimitsOf(boefjes: Iterable<Plugin>): readonly DefaultLimit[] {
  const groups = new Map<string, { seconds: number; boefjes: Set<string> }>();
  for (const { id, rateLimit } of boefjes) {
    if (!rateLimit) continue;
    const { seconds, boefjes: those } = groups.get(rateLimit.group) ?? { seconds: 0, boefjes: new Set<string>() };
    groups.set(rateLimit.group, { seconds: Math.max(seconds, rateLimit.seconds), boefjes: those.add(id) });
  }
  return [...groups]
    .slice(0, mostDefaults)
    .map(([group, { seconds, boefjes }]) => ({ group, seconds, boefjes: [...boefjes].toSorted() }));
}
