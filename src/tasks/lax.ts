/**
 * What pydantic makes of a text in its lax mode, in which mula reads its environment, query strings and bodies: flags,
 * numbers, UUIDs and timestamps. Null where pydantic refuses the text.
 */

const yes = new Set(['1', 'on', 't', 'true', 'y', 'yes']);
const no = new Set(['0', 'off', 'f', 'false', 'n', 'no']);

export function flagOf(text: string): boolean | null {
  const word = text.toLowerCase();
  return yes.has(word) ? true : no.has(word) ? false : null;
}

/** Underscores between digits, and a fraction of zeros. */
const wholeNumber = /^[+-]?\d+(?:_\d+)*(?:\.0*)?$/;

/** Beyond 2^53 it is rounded, as numbers are here. */
export function integerOf(text: string): number | null {
  const trimmed = text.trim();
  return wholeNumber.test(trimmed) ? Math.trunc(Number(trimmed.replaceAll('_', ''))) : null;
}

/** JavaScript alone reads `0x10`, and a text of spaces as 0. */
const inAnotherBase = /^[+-]?0[xob]/i;

export function decimalOf(text: string): number | null {
  const trimmed = text.trim().replaceAll(/(?<=\d)_(?=\d)/g, '');
  const value = trimmed === '' || inAnotherBase.test(trimmed) ? Number.NaN : Number(trimmed);
  return Number.isNaN(value) ? null : value;
}

/**
 * Reads a UUID as mula's pydantic does: with or without dashes, any case, `urn:uuid:` or braces around it.
 *
 * @returns the canonical form (lower case, dashes), or null where it is none.
 */
export function parseUuid(text: string): string | null {
  if (canonical.test(text)) return text;
  const bare = text.replace(/^urn:uuid:/i, '').replace(/^\{(.*)\}$/, '$1');
  const match =
    /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(bare) ??
    /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i.exec(bare);
  return match === null ? null : match.slice(1).join('-').toLowerCase();
}

/** As nearly every one comes. */
const canonical = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Timestamps as mula's models read them (pydantic, lax): ISO 8601 with `T`, `t`, `_` or a space, seconds and zone
 * optional, a date alone (midnight), or Unix seconds. Microseconds are kept, which Date would drop.
 */
interface Timestamp {
  /** Whole seconds since the epoch; a time without a zone is taken as UTC. */
  readonly seconds: number;
  readonly micros: number;
  /** Minutes east of UTC as written; null where no zone was. */
  readonly offset: number | null;
}

const form =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt _](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?)?$/;
const unix = /^[+-]?\d+(?:\.\d+)?$/;
/** pydantic takes larger numbers for milliseconds. */
const secondsBound = 2e10;

/** @returns null where the text is no timestamp. */
export function parseTimestamp(text: string): Timestamp | null {
  const match = form.exec(text);
  if (match === null) return unix.test(text) ? fromUnix(Number(text)) : null;
  if (!isOnCalendar(match)) return null;
  // Not Date.UTC, which takes the years before 100 for those of the last century.
  const midnight = new Date(0).setUTCFullYear(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  const [hour, minute, second] = [Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0)];
  const offset = offsetOf(match[8], match[9], match[10], match[11]);
  return {
    seconds: midnight / 1000 + hour * 3600 + minute * 60 + second - (offset ?? 0) * 60,
    micros: Number(microsOf(match)),
    offset,
  };
}

/** Whether there is such a day, time and zone. */
function isOnCalendar(match: RegExpExecArray): boolean {
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (year === 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return false;
  const isTime = Number(match[4] ?? 0) <= 23 && Number(match[5] ?? 0) <= 59 && Number(match[6] ?? 0) <= 59;
  return isTime && Math.abs(offsetOf(match[8], match[9], match[10], match[11]) ?? 0) < 24 * 60;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Six digits. */
function microsOf(match: RegExpExecArray): string {
  return (match[7] ?? '').slice(0, 6).padEnd(6, '0');
}

export function fromUnix(value: number): Timestamp | null {
  const seconds = Math.abs(value) > secondsBound ? value / 1000 : value;
  const whole = Math.floor(seconds);
  if (Number.isNaN(new Date(whole * 1000).getTime()) || Math.abs(whole) > 253_402_300_799) return null;
  return { seconds: whole, micros: Math.round((seconds - whole) * 1e6) % 1e6, offset: 0 };
}

/** Epoch milliseconds. */
export function toEpochMs({ seconds, micros }: Timestamp): number {
  return seconds * 1_000 + Math.floor(micros / 1_000);
}

/** `YYYY-MM-DDTHH:MM:SS.ffffffZ`: what Postgres takes and, being of one length and zone, what compares as text. */
export function toUtc(timestamp: Timestamp): string {
  return `${wallClock(timestamp.seconds)}.${String(timestamp.micros).padStart(6, '0')}Z`;
}

/**
 * As mula's models write a timestamp into a task's data: the zone as given, microseconds only where there are any. The digits of a
 * text are kept: through a Date a normalizer's task took twice as long to validate.
 *
 * @returns null where it is none.
 */
export function dataFormOf(given: string | number): string | null {
  const match = typeof given === 'string' ? form.exec(given) : null;
  if (match === null) {
    const parsed = typeof given === 'number' || unix.test(given) ? fromUnix(Number(given)) : null;
    return parsed === null ? null : `${wallClock(parsed.seconds)}${fraction(String(parsed.micros).padStart(6, '0'))}Z`;
  }
  if (!isOnCalendar(match)) return null;
  const [, year, month, day, hour = '00', minute = '00', second = '00', , z, sign, hours, minutes] = match;
  const time = `${hour}:${minute}:${second}${fraction(microsOf(match))}`;
  return `${year}-${month}-${day}T${time}${zone(offsetOf(z, sign, hours, minutes))}`;
}

function fraction(micros: string): string {
  return micros === '000000' ? '' : `.${micros}`;
}

function wallClock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}

function zone(offset: number | null): string {
  if (offset === null) return '';
  if (offset === 0) return 'Z';
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
  return `${offset < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
}

function offsetOf(z?: string, sign?: string, hours?: string, minutes?: string): number | null {
  if (z !== undefined) return 0;
  if (sign === undefined) return null;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
