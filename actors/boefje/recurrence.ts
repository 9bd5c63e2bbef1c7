import type { Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule, Recurrence } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { nextRun } from '../../src/tasks/cron.ts';

/**
 * When a boefje runs on an OOI again, lessons §0.7: the boefje's cron, else its interval, else the schedule's own cron,
 * else the grace period with jitter. Every deadline lies in the future of `now`: a schedule is due once per deadline.
 * A cron that does not parse counts as none: it must not keep a schedule due for ever.
 */
export function recurrenceOf(plugin: Plugin, schedule: OwnCron, setup: Clockwork): Recurrence {
  const own = ownCronOf(schedule);
  const fromPlugin = recurrenceOfPlugin(plugin, setup, own);
  if (fromPlugin !== null) return fromPlugin;
  const { gracePeriodSeconds, jitterSeconds } = setup.settings;
  const delay = Math.max((gracePeriodSeconds + jitterSeconds * setup.random()) * 1000, leastDelayMs);
  return { schedule: own, deadlineAt: nextRunOf(own, setup) ?? iso(setup.now() + delay), inherited: false };
}

/**
 * What the boefje itself asks for; null where it asks for nothing, and the default of the push holds. `own` is the
 * schedule's own cron where that is known: an interval overrules it and leaves it in place.
 */
export function recurrenceOfPlugin(plugin: Plugin, clock: Clock, own: string | null = null): Recurrence | null {
  const next = nextRunOf(plugin.cron, clock);
  if (next !== null) return { schedule: plugin.cron, deadlineAt: next, inherited: true };
  const interval = intervalMsOf(plugin);
  return interval === null ? null : { schedule: own, deadlineAt: iso(clock.now() + interval), inherited: false };
}

/**
 * Whether a cron decided that this schedule is due. Then the grace period has no say: a daily cron is 24 h to the
 * minute, and its run ends minutes after it.
 */
export function isByCron(plugin: Plugin, schedule: OwnCron, clock: Clock): boolean {
  if (nextRunOf(plugin.cron, clock) !== null) return true;
  return intervalMsOf(plugin) === null && nextRunOf(ownCronOf(schedule), clock) !== null;
}

/** Milliseconds; null where the boefje has no interval (0 is none, as in mula). */
export function intervalMsOf({ interval }: Plugin): number | null {
  return interval !== null && interval > 0 ? interval * 60_000 : null;
}

/** The cron that is the schedule's and not its boefje's; null where it has none. */
export function ownCronOf({ schedule, inherited }: OwnCron): string | null {
  return inherited === true ? null : schedule;
}

export type OwnCron = Pick<DueSchedule, 'schedule' | 'inherited'>;
type Clock = Pick<Setup, 'now'>;
type Clockwork = Pick<Setup, 'now' | 'random' | 'settings'>;

/** The clock looks once a minute: a grace period of 0 means the next look, not this one again. */
const leastDelayMs = 60_000;

function nextRunOf(cron: string | null, clock: Clock): string | null {
  if (cron === null) return null;
  try {
    return nextRun(cron, new Date(clock.now())).toISOString();
  } catch {
    return null;
  }
}

export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
