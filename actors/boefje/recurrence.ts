import type { Plugin } from '../../src/kat/kat.ts';
import type { Explain } from '../../src/protocol/commands.ts';
import type { DueSchedule, Recurrence, ScheduleSettlement } from '../../src/protocol/requests.ts';
import type { SchedulerSettings, Setup } from '../../src/protocol/scheduler.ts';
import { cronFault, isCron, nextRun } from '../../src/tasks/cron.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import type { Recorder, RefusalReason } from '../../src/tasks/refusal.ts';
import type { DisabledReason } from '../../src/tasks/task.ts';

/**
 * When a boefje runs on an OOI again, lessons §0.7: the boefje's cron, else its interval, else the schedule's own cron,
 * else the grace period with jitter. Every deadline lies in the future of `now`: a schedule is due once per deadline,
 * also after an outage of several periods.
 *
 * A cron that cannot be read disables the schedule: at any other time a night scan would run in the daytime.
 */
export function recurrenceOf(plugin: Plugin, schedule: KnownSchedule, setup: RecurrenceSetup): Recurrence {
  const own = ownCronOf(schedule);
  const fromPlugin = recurrenceOfPlugin(plugin, schedule, setup);
  if (fromPlugin !== null) return fromPlugin;
  if (own !== null) return byCron(own, false, setup);
  const { gracePeriodSeconds, jitterSeconds } = setup.settings;
  const delay = Math.max((gracePeriodSeconds + jitterSeconds * setup.random()) * 1000, leastDelayMs);
  return { schedule: null, deadlineAt: iso(setup.now() + delay), inherited: false };
}

/**
 * What the boefje itself asks for; null where it asks for nothing, and the default of the push holds. An interval
 * overrules the schedule's own cron and leaves it in place.
 */
export function recurrenceOfPlugin(plugin: Plugin, schedule: KnownSchedule, clock: IntervalSetup): Recurrence | null {
  const cron = cronOf(plugin);
  if (cron !== null) return byCron(cron, true, clock);
  const interval = intervalMsOf(plugin);
  if (interval === null) return null;
  const deadlineAt = iso(nextByInterval(interval, offsetMsOf(plugin, schedule.ooi, clock), schedule, clock.now()));
  return { schedule: ownCronOf(schedule), deadlineAt, inherited: false, byInterval: true };
}

/**
 * From deadline to deadline: a period counted from the run would grow by what the look, the queue and the run take. A
 * deadline that the interval did not set (a schedule that was enabled again, a person's "run now") lacks the pair's
 * offset, so it is added: what became due together comes back spread.
 */
function nextByInterval(
  interval: number,
  offset: number,
  { deadlineAt, byInterval }: KnownSchedule,
  now: number,
): number {
  if (deadlineAt == null || deadlineAt > now) return now + interval + offset;
  const from = byInterval === true ? deadlineAt : deadlineAt + offset;
  return from + Math.max(1, Math.floor((now - from) / interval) + 1) * interval;
}

/**
 * Milliseconds, the same at each run: within a tenth of the interval and the jitter. By boefje and OOI and not by
 * organisation, so that organisations which share a scan fall due together.
 */
function offsetMsOf({ id: boefjeId, interval }: Plugin, inputOoi: string | null, { settings }: IntervalSetup): number {
  const most = Math.min((interval! * 60_000) / 10, settings.jitterSeconds * 1_000);
  const share = Number.parseInt(boefjeHash({ boefjeId, inputOoi, organisation: '' }).slice(0, 8), 16) / 0x1_0000_0000;
  return Math.floor(share * most);
}

/**
 * Whether its cron or its interval decided that this schedule is due. Then the grace period has no say: a daily cron is
 * 24 h to the minute, and its run ends minutes after it. A deadline that the interval did not set is no such decision.
 */
export function isByRecurrence(plugin: Plugin, schedule: KnownSchedule): boolean {
  if (cronOf(plugin) !== null) return true;
  return intervalMsOf(plugin) === null ? ownCronOf(schedule) !== null : schedule.byInterval === true;
}

/** What makes a schedule due: a period in milliseconds, which failures lengthen; a cron, whose times were chosen; a request. */
export type Pace = number | 'cron' | 'asked';

export function paceOf(plugin: Plugin, schedule: KnownSchedule, settings: SchedulerSettings): Pace {
  const interval = intervalMsOf(plugin);
  if (cronOf(plugin) !== null || (interval === null && ownCronOf(schedule) !== null)) return 'cron';
  if (schedule.asked === true) return 'asked';
  return interval ?? settings.gracePeriodSeconds * 1_000;
}

const mostDoublings = 5;
const longestGrownMs = 30 * 86_400_000;

/** The period after so many failures in a row: doubled by each from the second on, up to 32 times and 30 days. */
export function grownPeriodMs(periodMs: number, failures: number): number {
  const grown = periodMs * 2 ** Math.min(Math.max(failures - 1, 0), mostDoublings);
  return Math.max(periodMs, Math.min(grown, longestGrownMs));
}

/** Why a schedule does not run its boefje: by a cron that cannot be read. An event runs it all the same. */
export function decideRecurrence(
  { schedule, inherited, disabled }: Recurrence,
  trigger: Explain['trigger'],
  record: Recorder | null,
): RefusalReason | null {
  if (disabled === undefined) return null;
  const reason = trigger === 'schedule' ? disabled : null;
  const whose = inherited === true ? "the boefje's cron" : "the schedule's cron";
  record?.('recurrence', reason, `${whose}, ${schedule}, cannot run: ${cronFault(schedule!)}`);
  return reason;
}

/** Milliseconds; null where the boefje has no interval (0 is none, as in mula). */
export function intervalMsOf({ interval }: Plugin): number | null {
  return interval !== null && interval > 0 ? interval * 60_000 : null;
}

/** The boefje's cron; null where it has none (an empty one is none, as in mula). */
export function cronOf({ cron }: Plugin): string | null {
  return cron === null || cron.trim() === '' ? null : cron;
}

/** The cron that is the schedule's and not its boefje's; null where it has none. */
function ownCronOf({ schedule, inherited }: Pick<KnownSchedule, 'schedule' | 'inherited'>): string | null {
  return inherited === true || schedule === null || schedule.trim() === '' ? null : schedule;
}

/** What is known of a pair's schedule. */
export type KnownSchedule = Pick<DueSchedule, 'schedule' | 'inherited' | 'byInterval' | 'asked'> & {
  readonly ooi: string | null;
  /** Epoch milliseconds; absent where there is no schedule yet. */
  readonly deadlineAt?: number | null;
};
type CronSetup = Pick<Setup, 'now'>;
type IntervalSetup = Pick<Setup, 'now' | 'settings'>;
type RecurrenceSetup = Pick<Setup, 'now' | 'random' | 'settings'>;

/** A pair that has no schedule yet. */
export function unscheduled(ooi: string | null): KnownSchedule {
  return { ooi, schedule: null };
}

/** The clock looks once a minute: a grace period of 0 means the next look, not this one again. */
const leastDelayMs = 60_000;

function byCron(cron: string, inherited: boolean, clock: CronSetup): Recurrence {
  const now = new Date(clock.now());
  if (!isCron(cron, now)) return { schedule: cron, inherited, deadlineAt: null, disabled: 'cron-unreadable' };
  return { schedule: cron, inherited, deadlineAt: nextRun(cron, now).toISOString() };
}

export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/**
 * Where a refusal will not pass by waiting the schedule is disabled, and comes back when its reason goes. A plug-in that
 * is no boefje is a boefje that is gone: schedules have no reason of its own for it.
 */
const disabling: Partial<Record<RefusalReason, DisabledReason>> = {
  'organisation-gone': 'organisation-gone',
  'boefje-gone': 'boefje-gone',
  'not-a-boefje': 'boefje-gone',
  'boefje-disabled': 'boefje-disabled',
  'ooi-gone': 'ooi-gone',
  'scan-level-too-low': 'scan-level-too-low',
  'no-run-on': 'run-on-only',
};

/**
 * How a due schedule moves on after a refusal: disabled with its reason; to the end of the grace period, since a full
 * new one would let the pair rest twice, and what was asked for stays so; to the end of the period that failures lengthened,
 * from which an interval goes on; else to its next deadline, or nowhere without a recurrence (null). A cron that
 * cannot be read stays in the schedule that it disables, for people to see.
 */
export function settlementOf(
  { id, version, asked }: Pick<DueSchedule, 'id' | 'version' | 'asked'>,
  reason: RefusalReason,
  recurrence: Recurrence | null,
  { until, failures }: Wait = {},
): ScheduleSettlement {
  if (recurrence?.disabled !== undefined) return { id, version, ...unreadable(recurrence) };
  const disabled = disabling[reason];
  if (disabled !== undefined) return { id, version, disabled };
  if (until !== undefined) {
    const moved = { id, version, ...recurrence, deadlineAt: iso(until) };
    return failures === undefined ? { ...moved, byInterval: false, asked: asked === true } : { ...moved, failures };
  }
  return { id, version, ...recurrence };
}

/** What a refusal that passes by waiting waits for. */
export interface Wait {
  /** Epoch milliseconds. */
  readonly until?: number;
  /** In a row, where it waits because of them. */
  readonly failures?: number;
}

/** The deadline stays: mula, should it come back, reads some crons that Rota refuses. */
export function unreadable({ schedule, inherited = false, disabled }: Recurrence): Partial<ScheduleSettlement> {
  return { schedule, inherited, disabled: disabled! };
}
