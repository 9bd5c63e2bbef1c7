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
  const own = schedule.inherited ? null : schedule.schedule;
  const fromPlugin = recurrenceOfPlugin(plugin, setup, own);
  if (fromPlugin !== null) return fromPlugin;
  const next = own === null ? null : nextRunOrNull(own, setup.now());
  const { gracePeriodSeconds, jitterSeconds } = setup.settings;
  const delay = Math.max((gracePeriodSeconds + jitterSeconds * setup.random()) * 1000, leastDelayMs);
  return { schedule: own, deadlineAt: next ?? iso(setup.now() + delay), inherited: false };
}

/**
 * What the boefje itself asks for; null where it asks for nothing, and the default of the push holds. `own` is the
 * schedule's own cron where that is known: an interval overrules it and leaves it in place.
 */
export function recurrenceOfPlugin(
  plugin: Plugin,
  setup: Pick<Setup, 'now'>,
  own: string | null = null,
): Recurrence | null {
  const next = plugin.cron === null ? null : nextRunOrNull(plugin.cron, setup.now());
  if (next !== null) return { schedule: plugin.cron, deadlineAt: next, inherited: true };
  if (plugin.interval !== null && plugin.interval > 0) {
    return { schedule: own, deadlineAt: iso(setup.now() + plugin.interval * 60_000), inherited: false };
  }
  return null;
}

/** Whether a cron decides when this schedule is due: then the grace period has no say (a daily cron is 24 h to the minute). */
export function isByCron(plugin: Plugin, schedule: OwnCron): boolean {
  if (plugin.cron !== null) return true;
  return !(plugin.interval !== null && plugin.interval > 0) && schedule.schedule !== null && !schedule.inherited;
}

export type OwnCron = Pick<DueSchedule, 'schedule' | 'inherited'>;
type Clockwork = Pick<Setup, 'now' | 'random' | 'settings'>;

/** The clock looks once a minute: a grace period of 0 means the next look, not this one again. */
const leastDelayMs = 60_000;

function nextRunOrNull(cron: string, now: number): string | null {
  try {
    return nextRun(cron, new Date(now)).toISOString();
  } catch {
    return null;
  }
}

export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
