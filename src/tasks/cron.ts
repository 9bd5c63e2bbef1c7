import { type Allowed, readFields } from './cron-fields.ts';

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

/** When a cron expression runs, UTC. */
interface CronTimes {
  /** Ascending and never empty, as are hours, minutes and seconds. */
  readonly months: readonly number[];
  readonly hours: readonly number[];
  readonly minutes: readonly number[];
  readonly seconds: readonly number[];
  readonly day: Allowed;
  readonly weekday: Allowed;
  /** Ascending; null where every year is one. */
  readonly years: readonly number[] | null;
}

/**
 * Years that are looked at where the expression names none: croniter's number. The longest that any expression waits is
 * 40, from one February with five Fridays to the next over the year 2100, which has no leap day.
 */
const yearsAhead = 50;

/** Timestamps of four-digit years are all that clients can read. */
const lastYear = 9999;

/** The last answer of each: from `from` on, until it has passed, it is the same. Boefjes share few crons, and each is asked for each minute. */
const answers = new WeakMap<CronTimes, { readonly from: number; readonly next: number }>();

/** The first time strictly after `after`; null where there is none. */
function nextTime(times: CronTimes, after: Date): Date | null {
  const from = after.getTime();
  const known = answers.get(times);
  if (known !== undefined && known.from <= from && from < known.next) return new Date(known.next);
  const next = firstAfter(times, after);
  if (next !== null) answers.set(times, { from, next: next.getTime() });
  return next;
}

/** At most 130 years of days are looked at. */
function firstAfter(times: CronTimes, after: Date): Date | null {
  const first = new Date(Math.floor(after.getTime() / 1000) * 1000 + 1000);
  const today = dateOf(first);
  if (isDay(times, today)) {
    const clock = clockFrom(times, [first.getUTCHours(), first.getUTCMinutes(), first.getUTCSeconds()]);
    if (clock !== null) return at(today, clock);
  }
  const date = nextDate(times, dateOf(new Date(Date.UTC(today.year, today.month - 1, today.day + 1))));
  return date === null ? null : at(date, [times.hours[0]!, times.minutes[0]!, times.seconds[0]!]);
}

interface CalendarDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

/** Hour, minute, second. */
type TimeOfDay = readonly [number, number, number];

/** The first date from `from` on, that one included. */
function nextDate(times: CronTimes, from: CalendarDate): CalendarDate | null {
  const until = Math.min(times.years?.at(-1) ?? from.year + yearsAhead, lastYear);
  for (let year = from.year; year <= until; year++) {
    for (const month of times.months) {
      if (year === from.year && month < from.month) continue;
      const isFirst = year === from.year && month === from.month;
      const length = lengthOf(year, month);
      for (let day = isFirst ? from.day : 1; day <= length; day++) {
        if (isDay(times, { year, month, day })) return { year, month, day };
      }
    }
  }
  return null;
}

/** Day of month *or* day of week, where the expression limits both. */
function isDay({ years, months, day, weekday }: CronTimes, date: CalendarDate): boolean {
  if (years !== null && !years.includes(date.year)) return false;
  if (!months.includes(date.month)) return false;
  const anyWeekday = weekday.any && weekday.nth.length === 0;
  if (day.any) return anyWeekday || isWeekday(weekday, date);
  return isDayOfMonth(day, date) || (!anyWeekday && isWeekday(weekday, date));
}

function isDayOfMonth({ values, last }: Allowed, { year, month, day }: CalendarDate): boolean {
  return values.includes(day) || (last && day === lengthOf(year, month));
}

function isWeekday({ values, nth }: Allowed, { year, month, day }: CalendarDate): boolean {
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
  if (nth.length === 0) return values.includes(weekday);
  return nth.some((ranked) => {
    if (ranked.weekday !== weekday) return false;
    return ranked.nth === 'last' ? day + 7 > lengthOf(year, month) : Math.ceil(day / 7) === ranked.nth;
  });
}

/** The first time of a day from `from` on, that one included; null where the day has none left. */
function clockFrom({ hours, minutes, seconds }: CronTimes, [hour, minute, second]: TimeOfDay): TimeOfDay | null {
  for (const h of hours.filter((value) => value >= hour)) {
    if (h > hour) return [h, minutes[0]!, seconds[0]!];
    for (const m of minutes.filter((value) => value >= minute)) {
      if (m > minute) return [h, m, seconds[0]!];
      const s = seconds.find((value) => value >= second);
      if (s !== undefined) return [h, m, s];
    }
  }
  return null;
}

function lengthOf(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function dateOf(instant: Date): CalendarDate {
  return { year: instant.getUTCFullYear(), month: instant.getUTCMonth() + 1, day: instant.getUTCDate() };
}

function at({ year, month, day }: CalendarDate, [hour, minute, second]: TimeOfDay): Date {
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}

/**
 * The clock by which due schedules are examined, in epoch milliseconds. That their deadlines have passed is the
 * database's word: a clock that is behind by a millisecond would find a cron's deadline ahead, and run it once more for
 * the same one.
 */
export function clockOfDue<Clock extends { now(): number }>(
  clock: Clock,
  due: readonly { readonly deadlineAt: number | null }[],
): Clock {
  const passed = Math.max(...due.map(({ deadlineAt }) => deadlineAt ?? 0));
  return { ...clock, now: () => Math.max(clock.now(), passed) };
}
