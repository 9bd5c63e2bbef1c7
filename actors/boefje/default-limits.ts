import type { Plugin } from '../../src/kat/kat.ts';
import type { Result } from '../../src/mailbox/failure.ts';
import type { DefaultLimit } from '../../src/protocol/limits.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { enabledOf, type Plugins } from './services.ts';

/** An organisation may add boefjes of its own: none is to stop a service that all share for longer. */
const longestSeconds = 86_400;
/** More than KAT has boefjes with a limit; each limit is read at each pass. */
const mostDefaults = 200;

/**
 * What Katalogus gives as limits of boefjes that are enabled somewhere: those with the same group share one. Of two intervals the longer
 * one holds, since the group is a service that has one rate.
 */
function defaultLimitsOf(boefjes: Iterable<Plugin>): readonly DefaultLimit[] {
  const groups = new Map<string, { seconds: number; boefjes: Set<string> }>();
  for (const { id, rateLimit } of boefjes) {
    if (!rateLimit) continue;
    const { seconds, boefjes: those } = groups.get(rateLimit.group) ?? { seconds: 0, boefjes: new Set<string>() };
    groups.set(rateLimit.group, {
      seconds: Math.min(Math.max(seconds, rateLimit.seconds), longestSeconds),
      boefjes: those.add(id),
    });
  }
  return [...groups]
    .slice(0, mostDefaults)
    .map(([group, { seconds, boefjes }]) => ({ group, seconds, boefjes: [...boefjes].toSorted() }));
}

export interface ToldLimits {
  /** Katalogus may have given limits, to this actor or to one before it. */
  limits: boolean;
}

/** After a look at all organisations. The limits of one that does not answer are not known to be gone: then nothing is told. */
export async function tellDefaultLimits(
  setup: Setup,
  answers: readonly Result<Plugins>[],
  told: ToldLimits,
): Promise<void> {
  const lists = answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
  if (lists.length < answers.length) return;
  const limits = defaultLimitsOf(lists.flatMap(enabledOf));
  if (limits.length > 0 || told.limits) await setup.supervisor('set-default-limits', { limits });
  told.limits = limits.length > 0;
}
