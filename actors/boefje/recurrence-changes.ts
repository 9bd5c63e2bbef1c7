import type { Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule, ScheduleSettlement, SeenBoefjes } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { cronFault } from '../../src/tasks/cron.ts';
import { boefjeData } from '../../src/tasks/data.ts';
import { runsOnEventsOnly } from './permission.ts';
import { cronOf, intervalMsOf, recurrenceOf } from './recurrence.ts';
import { unreadable } from './settlement.ts';

/** Schedules of one request: about 1 kB each. */
const pageSize = 1_000;

/** What the schedules of a boefje depend on; null where that is the default, the grace period. */
function recurrenceKey(plugin: Plugin): string | null {
  if (runsOnEventsOnly(plugin)) return 'run-on-only';
  const cron = cronOf(plugin);
  if (cron !== null) return `cron ${cron}`;
  return intervalMsOf(plugin) === null ? null : `interval ${plugin.interval}`;
}

/**
 * Of the boefjes that have a recurrence, as it is remembered in `seen_boefjes`: of the enabled ones as it is now, of others
 * as it was, since their schedules still are.
 */
export function recurrencesOf(enabled: readonly Plugin[], before: Recurrences | null): Recurrences {
  const recurrences = new Map(Object.entries(before ?? {}));
  for (const boefje of enabled) {
    const key = recurrenceKey(boefje);
    if (key === null) recurrences.delete(boefje.id);
    else recurrences.set(boefje.id, key);
  }
  return Object.fromEntries(recurrences);
}

type Recurrences = NonNullable<SeenBoefjes['recurrences']>;

/**
 * The boefjes whose schedules were made by another recurrence than they have now. What Rota never looked at is mula's: it
 * ignores intervals, and gives boefjes that run on operations schedules, so every recurrence counts as new then.
 */
export function changedOf(enabled: readonly Plugin[], before: Recurrences | null): readonly Plugin[] {
  const known = new Map(Object.entries(before ?? {}));
  return enabled.filter((boefje) => recurrenceKey(boefje) !== (known.get(boefje.id) ?? null));
}

/**
 * Makes the schedules of a boefje true to its recurrence, without waiting until they are due: a cron that was moved from
 * the night to the day, or an interval of a month that is an hour now. What is due already is left to the rescheduling,
 * which would lose that run.
 * @returns false where the drain cut it short
 */
export async function followRecurrence(setup: Setup, organisation: string, plugin: Plugin): Promise<boolean> {
  let after: string | null = null;
  for (;;) {
    const page: readonly DueSchedule[] = await setup.supervisor('schedules-of-boefje', {
      organisation,
      boefje: plugin.id,
      after,
      limit: pageSize,
    });
    const settlements = page.flatMap((schedule) => settlementOf(setup, plugin, schedule) ?? []);
    if (settlements.length > 0) await setup.supervisor('settle-schedules', { settlements });
    if (page.length < pageSize) return true;
    if (setup.stopping.aborted) return false;
    after = page.at(-1)!.id;
  }
}

function settlementOf(setup: Setup, plugin: Plugin, schedule: DueSchedule): ScheduleSettlement | null {
  const { id, version, enabled, deadlineAt } = schedule;
  if (runsOnEventsOnly(plugin)) return enabled ? { id, version, disabled: 'run-on-only' } : null;
  const ooi = boefjeData.safeParse(schedule.data).data?.input_ooi || null;
  // What was disabled lacks a deadline that means anything: it counts from now.
  const recurrence = recurrenceOf(plugin, { ...schedule, deadlineAt: enabled ? deadlineAt : null, ooi }, setup);
  if (recurrence.disabled !== undefined) {
    setup.refuse(recurrence.disabled, { organisation: schedule.organisation, boefje: plugin.id, ooi });
    return { id, version, ...unreadable(recurrence) };
  }
  if (enabled && deadlineAt !== null && deadlineAt <= setup.now()) return null;
  return { id, version, ...recurrence, ...(enabled ? {} : { disabled: null }) };
}

/**
 * Names the boefjes whose cron cannot be read, each once for each cron: every organisation has the same and is looked at
 * every minute. `told` is kept from look to look.
 */
export function warnOfCrons(setup: Setup, organisation: string, boefjes: readonly Plugin[], told: Set<string>): void {
  for (const boefje of boefjes) {
    const cron = cronOf(boefje);
    const why = cron === null ? null : cronFault(cron);
    const key = JSON.stringify([boefje.id, cron]);
    if (why === null || told.has(key)) continue;
    if (told.size >= mostTold) told.clear();
    told.add(key);
    setup.log.warn(
      { organisation, boefje: boefje.id, cron, why },
      'cron of a boefje cannot run, its schedules are disabled',
    );
  }
}

const mostTold = 1_000;
