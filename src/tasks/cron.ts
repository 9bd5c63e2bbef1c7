import { readFields } from './cron-fields.ts';
import { type CronTimes, nextTime } from './cron-times.ts';

/**
 * Cron expressions as croniter 6 reads them, with which Katalogus checks those of boefjes; always UTC. Five fields, or
 * six with the seconds *last*, or seven with the year after them; or a nickname such as `@daily`. docs/crons.md lists
 * the few expressions whose times are not croniter's.
 */

/**
 * The first time strictly after `after`.
 * @throws RangeError saying which field is wrong and what was expected, or that no time is left
 */
export function nextRun(expression: string, after: Date): Date {
  const times = timesOf(expression);
  if (typeof times === 'string') throw new RangeError(times);
  const next = nextTime(times, after);
  if (next === null) throw new RangeError(noTimeLeft);
  return next;
}

/** Whether `nextRun` would answer: never throws. */
export function isCron(expression: string, after: Date = new Date()): boolean {
  return cronFault(expression, after) === null;
}

/** Why an expression cannot run after `after`, in one sentence; null where it can. */
export function cronFault(expression: string, after: Date = new Date()): string | null {
  const times = timesOf(expression);
  if (typeof times === 'string') return times;
  return nextTime(times, after) === null ? noTimeLeft : null;
}

const noTimeLeft = 'it has no time left: its years are over';

/** Every minute and hour, written singly, are 240 characters. */
const longest = 500;

/** Schedules of one boefje share its expression: thousands of questions a look, a few dozen expressions. */
const known = new Map<string, CronTimes | string>();
const mostKnown = 1000;

/** What an expression says, or its fault. */
function timesOf(expression: string): CronTimes | string {
  const before = known.get(expression);
  if (before !== undefined) return before;
  if (expression.length > longest) return `it has ${expression.length} characters: expected at most ${longest}`;
  const times = read(expression);
  if (known.size === mostKnown) known.delete(known.keys().next().value!);
  known.set(expression, times);
  return times;
}

/** A Map, as for all that strangers name: an object has `__proto__` and `constructor`, too. */
const nicknames: ReadonlyMap<string, string> = new Map([
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
]);

function read(expression: string): CronTimes | string {
  const lower = expression.toLowerCase();
  const texts = (nicknames.get(lower) ?? lower).split(/[^\S\uFEFF]+/).filter((text) => text !== '');
  if (texts.length < 5 || texts.length > 7) {
    return `it has ${texts.length} fields: expected five, six (seconds last) or seven (then the year), or ${[...nicknames.keys()].join(', ')}`;
  }
  try {
    return timesOfFields(texts);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

function timesOfFields(texts: readonly string[]): CronTimes | string {
  const [minute, hour, day, month, weekday, second, year] = readFields(texts);
  const times: CronTimes = {
    months: month!.values,
    hours: hour!.values,
    minutes: minute!.values,
    seconds: second?.values ?? [0],
    // A day field that names all its days is `*` beside one with a star (`1-31` and `*/2`), else it is all its days.
    day: day!.values.length === 31 && texts[4]!.includes('*') ? { ...day!, any: true } : day!,
    weekday: weekday!.values.length === 7 && texts[2]!.includes('*') ? { ...weekday!, any: true } : weekday!,
    years: year === undefined || year.values.length === 130 ? null : year.values,
  };
  // The calendar repeats every 28 years from 1901 to 2099.
  return nextTime(times, new Date(-1)) === null ? 'it never runs: no such day exists' : times;
}
