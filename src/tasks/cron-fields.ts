/** A field of a cron expression, in croniter's order: the seconds are sixth, the year seventh. */
interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** What a value is, for messages. */
  readonly expected: string;
  readonly names?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const minute: Field = { name: 'minute', min: 0, max: 59, expected: '0-59' };
const hour: Field = { name: 'hour', min: 0, max: 23, expected: '0-23' };
const day: Field = { name: 'day of month', min: 1, max: 31, expected: '1-31 or L' };
const month: Field = { name: 'month', min: 1, max: 12, expected: '1-12 or jan-dec', names: months };
const weekday: Field = { name: 'day of week', min: 0, max: 6, expected: '0-6 or sun-sat', names: weekdays };
const second: Field = { name: 'second', min: 0, max: 59, expected: '0-59' };
const year: Field = { name: 'year', min: 1970, max: 2099, expected: '1970-2099' };
const fields = [minute, hour, day, month, weekday, second, year];

/** What a field allows. */
export interface Allowed {
  /** Ascending; every value of the field where `any`. */
  readonly values: readonly number[];
  /** Whether it has `*` or `?`. */
  readonly any: boolean;
  /** `L` as day of month: the month's last. */
  readonly last: boolean;
  /** `5#2`, `L5`: where there are some, they alone decide the day of week. */
  readonly nth: readonly NthWeekday[];
}

interface NthWeekday {
  readonly weekday: number;
  /** 1 to 5, or the last of the month. */
  readonly nth: number | 'last';
}

/**
 * The fields of an expression as croniter 6 reads them.
 * @param texts five, six or seven, in lower case
 * @throws RangeError naming the field, the part that is wrong and what was expected
 */
export function readFields(texts: readonly string[]): Allowed[] {
  return texts.map((text, index) => readField(fields[index]!, text, texts.length));
}

function readField(field: Field, text: string, count: number): Allowed {
  if (/^[hr](?:\(\d+-\d+\))?(?:\/\d+)?$/.test(text)) {
    const why = text.startsWith('h') ? 'hashed (H) needs a hash id, and none is given' : 'random (R) names no time';
    throw fault(field, text, why);
  }
  if (text === '?' && (field === day || field === weekday)) return allowed(field, new Set(), true, false, []);
  const values = new Set<number>();
  const nth: NthWeekday[] = [];
  let any = false;
  let last = false;
  for (const item of text.split(',')) {
    if (item === '*') any = true;
    else if (item === 'l' && field === day) last = true;
    else {
      const [, ranked, rank] = (field === weekday && nthWeekday.exec(item)) || [];
      const found = rank === undefined ? readItem(field, item, count) : readItem(field, ranked ?? rank, count);
      for (const value of found) values.add(value);
      if (rank !== undefined) nth.push(...ranks(found, ranked === undefined ? 'last' : Number(rank), item));
    }
  }
  refuseMixture(values, any, nth, text);
  return allowed(field, values, any, last, nth);
}

/** `5#2`, `fri#2`, `mon-fri#2`: its first group is what is ranked; `l5` has only the second. */
const nthWeekday = /^(?:([a-z]{3}-[a-z]{3}|\w+)#|l)(\d+)$/;

function ranks(found: readonly number[], nth: number | 'last', item: string): NthWeekday[] {
  if (nth !== 'last' && (nth < 1 || nth > 5)) throw fault(weekday, item, 'expected #1 to #5');
  return found.map((value) => ({ weekday: value, nth }));
}

/** croniter takes other days beside `5#2` only where they are all seven; they count for nothing then. */
function refuseMixture(values: ReadonlySet<number>, any: boolean, nth: readonly NthWeekday[], text: string): void {
  if (nth.length === 0 || values.size + (any ? 1 : 0) === 7) return;
  const plain = [...values].filter((value) => nth.every((ranked) => ranked.weekday !== value));
  if (plain.length > 0) throw fault(weekday, text, 'plain days and # or L days do not mix');
}

function allowed(
  { min, max }: Field,
  values: ReadonlySet<number>,
  any: boolean,
  last: boolean,
  nth: readonly NthWeekday[],
): Allowed {
  return { values: any ? sequence(min, max, 1) : [...values].toSorted((a, b) => a - b), any, last, nth };
}

/** `5`, `5-10`, `5/15`, `5-59/15` or `*` with a step. */
function readItem(field: Field, item: string, count: number): readonly number[] {
  const [, from, to, every] = /^([^-/]+)(?:-([^-/]+))?(?:\/(\d+))?$/.exec(item) ?? [];
  if (from === undefined) throw fault(field, item);
  const step = every === undefined ? 1 : Number(every);
  if (step === 0) throw fault(field, item, 'a step of 0 goes nowhere');
  if (from === '*' && to === undefined) return sequence(field.min, field.max, step);

  const low = readValue(field, from, item, count);
  if (to === undefined) {
    if (low < field.min) throw fault(field, item);
    return sequence(low, every === undefined ? low : field.max, step);
  }
  const high = to === 'l' && field === day ? day.max : readValue(field, to, item, count);
  if (low < field.min && low !== high) throw fault(field, item);
  return range(field, low, high, step);
}

/**
 * A range may run over the field's end and begin anew: `22-6`, `fri-mon`, `nov-feb`. From a value to itself is the
 * whole field. With a step, croniter's count goes on after the end one later than arithmetic would: `21-6/2` is
 * 21, 23, 2, 4, 6, and its own tests say so (`Thu-Tue/2`, `Apr-Mar/2`).
 */
function range({ min, max }: Field, low: number, high: number, step: number): number[] {
  if (low === high) return sequence(min, max, step);
  if (low < high) return sequence(low, high, step);
  const head = sequence(low, max, step);
  const left = max - head.at(-1)!;
  return [...head, ...sequence(step > left + 1 ? min + step - left : min, high, step)];
}

function readValue(field: Field, text: string, item: string, count: number): number {
  const named = field.names?.indexOf(text) ?? -1;
  if (named !== -1) return field.min + named;
  if (!/^\d+$/.test(text)) throw fault(field, item);
  const value = alias(field, Number(text), count);
  if (value > field.max) throw fault(field, item);
  return value;
}

/** croniter's: 7 is Sunday in five fields only, and 0 the first of the month in six only. */
function alias(field: Field, value: number, count: number): number {
  if (field === weekday && value === 7 && count === 5) return 0;
  return field === day && value === 0 && count === 6 ? 1 : value;
}

function sequence(from: number, to: number, step: number): number[] {
  const values: number[] = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
}

function fault({ name, expected }: Field, part: string, why = `expected ${expected}`): RangeError {
  return new RangeError(`${name} '${part}': ${why}`);
}
