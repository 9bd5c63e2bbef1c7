import type { Plugin } from '../../src/kat/kat.ts';
import type { Failure } from '../../src/mailbox/failure.ts';
import type { Delivery } from '../../src/mailbox/message.ts';
import type { CorrectSchedules, PushedSchedule } from '../../src/protocol/commands.ts';
import type { DueSchedule, ScheduleSettlement, SeenBoefjes } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { cronFault } from '../../src/tasks/cron.ts';
import { boefjeData } from '../../src/tasks/data.ts';
import { runsOnEventsOnly } from './permission.ts';
import { pluginsOf, type Plugins } from './services.ts';
import { cronOf, intervalMsOf, recurrenceOf, unreadable } from './recurrence.ts';

/**
 * A person's push committed with the default recurrence, since a push waits for no service: set the boefje's cron or
 * interval where it has one. Best effort: where Katalogus does not answer, the schedule is put right when it falls due.
 */
export async function correctSchedules(setup: Setup, batch: readonly Delivery<CorrectSchedules>[]): Promise<void> {
  const pushed = new Map(batch.flatMap(({ message }) => (message.pushed ?? []).map((one) => [one.id, one] as const)));
  const known = await pluginsOf(
    setup,
    [...pushed.values()].map(({ organisation }) => organisation),
  );
  const unanswered: Failure[] = [];
  const concerns = (id: string): boolean => {
    const one = pushed.get(id);
    if (one === undefined) return true;
    const answer = known.get(one.organisation)!;
    if (answer.ok) return mayNeedCorrection(one, answer.value);
    unanswered.push(answer.failure);
    return false;
  };
  const ids = [...new Set(batch.flatMap(({ message }) => message.ids))].filter(concerns);
  const settlements = ids.length === 0 ? [] : await correctionsOf(setup, ids, unanswered);
  if (unanswered.length > 0) {
    const fields = { schedules: unanswered.length, failure: unanswered[0] };
    setup.log.warn(fields, 'recurrences of pushed tasks not corrected');
  }
  if (settlements.length > 0) await setup.supervisor('settle-schedules', { settlements });
}

/** Few boefjes have a cron, an interval or operations to run on: what was pushed for the others need not be read. */
function mayNeedCorrection({ plugin: id, inherited }: PushedSchedule, plugins: Plugins): boolean {
  const plugin = id === null ? undefined : plugins?.get(id);
  if (plugin === undefined) return false;
  return inherited || hasOwnRecurrence(plugin);
}

async function correctionsOf(
  setup: Setup,
  ids: readonly string[],
  unanswered: Failure[],
): Promise<readonly ScheduleSettlement[]> {
  const schedules = (await setup.supervisor('read-schedules', { ids })).filter((schedule) => schedule.enabled);
  const plugins = await pluginsOf(
    setup,
    schedules.map((schedule) => schedule.organisation),
  );
  return schedules.flatMap((schedule) => {
    const answer = plugins.get(schedule.organisation)!;
    if (answer.ok) return correctionOf(schedule, answer.value, setup) ?? [];
    unanswered.push(answer.failure);
    return [];
  });
}

function hasOwnRecurrence(plugin: Plugin): boolean {
  return runsOnEventsOnly(plugin) || cronOf(plugin) !== null || intervalMsOf(plugin) !== null;
}

function correctionOf(schedule: DueSchedule, plugins: Plugins, setup: Setup): ScheduleSettlement | null {
  const data = boefjeData.safeParse(schedule.data);
  const plugin = data.success ? plugins?.get(data.data.boefje.id) : undefined;
  if (plugin === undefined) return null;
  const { id, version } = schedule;
  // A person's push is one run, not the first of many.
  if (runsOnEventsOnly(plugin)) return { id, version, disabled: 'run-on-only' };
  if (!hasOwnRecurrence(plugin) && !schedule.inherited) return null;
  const recurrence = recurrenceOf(plugin, { ...schedule, ooi: data.data!.input_ooi || null }, setup);
  return { id, version, ...(recurrence.disabled === undefined ? recurrence : unreadable(recurrence)) };
}

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
    const settlements = page.flatMap((schedule) => followingOf(setup, plugin, schedule) ?? []);
    if (settlements.length > 0) await setup.supervisor('settle-schedules', { settlements });
    if (page.length < pageSize) return true;
    if (setup.stopping.aborted) return false;
    after = page.at(-1)!.id;
  }
}

function followingOf(setup: Setup, plugin: Plugin, schedule: DueSchedule): ScheduleSettlement | null {
  const { id, version, enabled, deadlineAt } = schedule;
  if (runsOnEventsOnly(plugin)) return enabled ? { id, version, disabled: 'run-on-only' } : null;
  const ooi = boefjeData.safeParse(schedule.data).data?.input_ooi || null;
  // The deadline of a disabled schedule means nothing: its period counts from now.
  const recurrence = recurrenceOf(plugin, { ...schedule, deadlineAt: enabled ? deadlineAt : null, ooi }, setup);
  if (recurrence.disabled !== undefined) {
    setup.refuse(recurrence.disabled, { organisation: schedule.organisation, boefje: plugin.id, ooi });
    return { id, version, ...unreadable(recurrence) };
  }
  if (enabled && deadlineAt !== null && deadlineAt <= setup.now()) return null;
  return { id, version, ...recurrence, ...(enabled ? {} : { disabled: null }) };
}

/**
 * Warns of boefjes whose cron cannot be read, once for each cron: all organisations have the same boefjes, and each is looked at
 * every minute. `told` lasts from look to look.
 */
export function warnOfCrons(setup: Setup, organisation: string, boefjes: readonly Plugin[], told: Set<string>): void {
  const now = new Date(setup.now());
  for (const boefje of boefjes) {
    const cron = cronOf(boefje);
    const why = cron === null ? null : cronFault(cron, now);
    if (why === null) continue;
    const key = JSON.stringify([boefje.id, cron]);
    if (told.has(key)) continue;
    if (told.size >= mostTold) told.clear();
    told.add(key);
    setup.log.warn(
      { organisation, boefje: boefje.id, cron, why },
      'cron of a boefje cannot run, its schedules are disabled',
    );
  }
}

const mostTold = 1_000;
