import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextRun } from '../../src/tasks/cron.ts';

/** A field as it is written, and what it means, reckoned without the code under test. */
interface Written {
  readonly text: string;
  readonly has: (value: number, date: Date) => boolean;
  /** It limits nothing. */
  readonly open?: true;
}

const daysIn = (date: Date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();

/** `drawn`: the values that are written, where not the whole field. */
function item(min: number, max: number, drawn = { min, max }): fc.Arbitrary<Written> {
  const value = fc.integer(drawn);
  const step = fc.integer({ min: 1, max: max - min + 5 });
  return fc.oneof(
    value.map((it) => ({ text: `${it}`, has: (v: number) => v === it })),
    fc
      .tuple(value, value)
      .map(([low, high]) => ({ text: `${low}-${high}`, has: (v: number) => between(v, low, high) })),
    fc.tuple(value, value, step).map(([one, other, every]) => {
      const [low, high] = one < other ? [one, other] : one > other ? [other, one] : [min, max];
      return {
        text: `${low}-${high}/${every}`,
        has: (v: number) => v >= low && v <= high && (v - low) % every === 0,
      };
    }),
    step.map((every) => ({ text: `*/${every}`, has: (v: number) => (v - min) % every === 0 })),
    fc.tuple(value, step).map(([low, every]) => ({
      text: `${low}/${every}`,
      has: (v: number) => v >= low && (v - low) % every === 0,
    })),
  );
}

/** A range that runs over its field's end, or from a value to itself: the whole field. */
function between(value: number, low: number, high: number): boolean {
  if (low === high) return true;
  return low < high ? value >= low && value <= high : value >= low || value <= high;
}

const list = (of: fc.Arbitrary<Written>): fc.Arbitrary<Written> =>
  fc.array(of, { minLength: 1, maxLength: 3 }).map((items) => ({
    text: items.map(({ text }) => text).join(','),
    has: (value, date) => items.some((it) => it.has(value, date)),
  }));

const open = (text: string): fc.Arbitrary<Written> => fc.constant({ text, has: () => true, open: true });
const field = (min: number, max: number) => fc.oneof(open('*'), list(item(min, max)));

const lastDay = fc.constant<Written>({ text: 'L', has: (day, date) => day === daysIn(date) });
const dayOfMonth = fc.oneof(open('*'), open('?'), list(fc.oneof(item(1, 31), lastDay)));
const ranked = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 5 })).map(([weekday, nth]) => ({
    text: `${weekday}#${nth}`,
    has: (v: number, date: Date) => v === weekday && Math.floor((date.getUTCDate() - 1) / 7) + 1 === nth,
  })),
  fc.integer({ min: 0, max: 6 }).map((weekday) => ({
    text: `L${weekday}`,
    has: (v: number, date: Date) => v === weekday && date.getUTCDate() > daysIn(date) - 7,
  })),
);
const dayOfWeek = fc.oneof(open('*'), open('?'), list(item(0, 6)), list(ranked));

/** Mixtures of stars and whole fields are croniter's own (`1-31` beside a list with a star): the table has them. */
const isWhole = ({ text, has, open: any }: Written, min: number, max: number) =>
  any !== true && !/[#L]/.test(text) && range(min, max).every((value) => has(value, new Date(0)));
const range = (min: number, max: number) => Array.from({ length: max - min + 1 }, (_, index) => min + index);

const cron = fc
  .record({
    minute: field(0, 59),
    hour: field(0, 23),
    day: dayOfMonth,
    month: field(1, 12),
    weekday: dayOfWeek,
    second: fc.option(field(0, 59)),
    year: fc.option(fc.oneof(open('*'), list(item(1970, 2099, { min: 2020, max: 2060 })))),
  })
  .filter(({ day, weekday }) => !isWhole(day, 1, 31) && !isWhole(weekday, 0, 6))
  .map((fields) => ({ ...fields, second: fields.year === null ? fields.second : (fields.second ?? second0) }));
const second0: Written = { text: '0', has: (value) => value === 0 };

type Expression = typeof cron extends fc.Arbitrary<infer T> ? T : never;

function textOf({ minute, hour, day, month, weekday, second, year }: Expression): string {
  return [minute, hour, day, month, weekday, second, year].flatMap((it) => (it === null ? [] : [it.text])).join(' ');
}

function isDay({ day, month, weekday, year }: Expression, date: Date): boolean {
  if (year !== null && !year.has(date.getUTCFullYear(), date)) return false;
  if (!month.has(date.getUTCMonth() + 1, date)) return false;
  const [byDay, byWeekday] = [day.has(date.getUTCDate(), date), weekday.has(date.getUTCDay(), date)];
  return day.open || weekday.open ? byDay && byWeekday : byDay || byWeekday;
}

function runsAt(it: Expression, date: Date): boolean {
  if (!it.minute.has(date.getUTCMinutes(), date) || !it.hour.has(date.getUTCHours(), date)) return false;
  return (it.second ?? second0).has(date.getUTCSeconds(), date) && isDay(it, date);
}

const dayMs = 86_400_000;
const instant = fc.date({ min: new Date('2024-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });

function nextOrNull(text: string, after: Date): Date | null {
  try {
    return nextRun(text, after);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

test('the next run lies after the moment asked for, and the expression names it', () => {
  fc.assert(
    fc.property(cron, instant, (expression, after) => {
      const next = nextOrNull(textOf(expression), after);
      if (next === null) return;
      expect(next.getTime()).toBeGreaterThan(after.getTime());
      expect(next.getUTCMilliseconds()).toBe(0);
      expect(runsAt(expression, next)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('no run lies between: neither within the next hours, by the second, nor within the next years, by the day', () => {
  fc.assert(
    fc.property(cron, instant, (expression, after) => {
      const next = nextOrNull(textOf(expression), after)?.getTime() ?? Number.POSITIVE_INFINITY;
      const stepMs = expression.second === null ? 60_000 : 1_000;
      const first = (Math.floor(after.getTime() / stepMs) + 1) * stepMs;
      for (let at = first; at < Math.min(next, first + 2_000 * stepMs); at += stepMs) {
        if (runsAt(expression, new Date(at))) throw new Error(`${new Date(at).toISOString()} was left out`);
      }
      // Of a whole day every time of day is still to come: no such day may lie between.
      const tomorrow = (Math.floor(after.getTime() / dayMs) + 1) * dayMs;
      for (let day = tomorrow; day + dayMs <= Math.min(next, tomorrow + 3_000 * dayMs); day += dayMs) {
        if (isDay(expression, new Date(day))) throw new Error(`${new Date(day).toISOString()} was left out`);
      }
    }),
    { numRuns: 200 },
  );
});

test('the next run is the same from any moment before it', () => {
  fc.assert(
    fc.property(cron, instant, fc.double({ min: 0, max: 1, noNaN: true }), (expression, after, share) => {
      const text = textOf(expression);
      const next = nextOrNull(text, after);
      if (next === null) return;
      const between = new Date(after.getTime() + Math.floor(share * (next.getTime() - 1 - after.getTime())));
      expect(nextRun(text, between)).toEqual(next);
    }),
    { numRuns: 1_000 },
  );
});
