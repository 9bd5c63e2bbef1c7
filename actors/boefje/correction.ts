import type { Delivery } from '../../src/mailbox/message.ts';
import type { Failure } from '../../src/mailbox/failure.ts';
import type { CorrectSchedules, PushedSchedule } from '../../src/protocol/commands.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule, ScheduleSettlement } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { boefjeData } from '../../src/tasks/data.ts';
import { runsOnEventsOnly } from './permission.ts';
import { pluginsOf, type Plugins } from './plugins.ts';
import { cronOf, intervalMsOf, recurrenceOf } from './recurrence.ts';
import { unreadable } from './settlement.ts';

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
