import type { Allowed } from './cron-fields.ts';

/** When a cron expression runs, UTC. */
export interface CronTimes {
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

/** The first time strictly after `after`; null where there is none. At most 130 years of days are looked at. */
export function nextTime(times: CronTimes, after: Date): Date | null {
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
type Clock = readonly [number, number, number];

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
function clockFrom({ hours, minutes, seconds }: CronTimes, [hour, minute, second]: Clock): Clock | null {
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

function at({ year, month, day }: CalendarDate, [hour, minute, second]: Clock): Date {
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}
