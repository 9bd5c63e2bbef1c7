import { type TaskStatus, taskStatuses } from '../../tasks/task.ts';
import type { ColumnKind } from './columns.ts';

/** The type that a bound value is cast to. Values travel as text, so that no driver has to guess a type. */
export const casts: Readonly<Record<ColumnKind | 'json', string>> = {
  text: 'text',
  uuid: 'uuid',
  number: 'numeric',
  timestamp: 'timestamptz',
  status: 'taskstatus',
  boolean: 'boolean',
  json: 'jsonb',
};

export const expectations: Readonly<Record<ColumnKind | 'json', string>> = {
  text: 'a string',
  uuid: 'a UUID',
  number: 'a number',
  timestamp: 'an ISO 8601 timestamp',
  status: `one of ${taskStatuses.join(', ')}`,
  boolean: 'true or false',
  json: 'a JSON value',
};

/**
 * The value as Postgres reads it in text form, or null where it is not of this kind. A string is read as Postgres reads a
 * literal, since mula binds it as one: `"5"` is a number to a column of numbers, `"t"` is true to one of booleans. A number is
 * no string, and neither is a boolean.
 */
export function parameterText(kind: ColumnKind | 'json', value: unknown): string | null {
  switch (kind) {
    case 'text':
      return typeof value === 'string' && storable(value) ? value : null;
    case 'uuid':
      return typeof value === 'string' && uuid.test(value) ? value : null;
    case 'number':
      if (typeof value === 'string') return integer.exec(value)?.[1] ?? null;
      return typeof value === 'number' && Number.isFinite(value) ? String(value) : null;
    case 'timestamp':
      return typeof value === 'string' ? instant(value) : null;
    case 'status':
      return typeof value === 'string' && statuses.has(value.toLowerCase() as TaskStatus) ? value.toUpperCase() : null;
    case 'boolean':
      if (typeof value === 'string') return boolean.test(value) ? value.trim() : null;
      return typeof value === 'boolean' ? String(value) : null;
    case 'json':
      return storable(value) ? JSON.stringify(value) : null;
  }
}

/** A hyphen may follow every fourth digit. */
const uuid = /^(?:\{(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}\}|(?:[0-9a-f]{4}-?){7}[0-9a-f]{4})$/i;
const integer = /^[ \t-\r]*([+-]?\d+)[ \t-\r]*$/;
/** Each word may be cut short as long as it says which. */
const boolean = /^[ \t-\r]*(?:t|tr|tru|true|y|ye|yes|on|1|f|fa|fal|fals|false|n|no|of|off|0)[ \t-\r]*$/i;
const statuses: ReadonlySet<TaskStatus> = new Set(taskStatuses);

/** Postgres stores neither U+0000 nor half a surrogate pair, in text or in jsonb. */
function storable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(storable);
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).every(([key, entry]) => storable(key) && storable(entry));
  }
  return value === null || typeof value === 'boolean';
}

/** A string that holds a JSON object or array is one (mula); anything else that parses is just a string. */
export function jsonIn(value: string): object | null {
  if (!/^\s*[[{]/.test(value)) return null;
  try {
    return JSON.parse(value) as object;
  } catch {
    return null;
  }
}

const date = /(?<year>\d{4})(?:-(?<month>\d{1,2})-(?<day>\d{1,2})|(?<month>\d{2})(?<day>\d{2}))/;
const clock =
  /(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:\.(?<fraction>\d{1,9}))?)?|(?<hour>\d{2})(?<minute>\d{2})(?<second>\d{2})(?:\.(?<fraction>\d{1,9}))?/;
const zone = /(?:Z|UTC|GMT|(?<offset>[+-]\d{2}(?::?\d{2})?))/;
const timestamp = new RegExp(`^ *${date.source}(?:(?:T| +)(?:${clock.source})(?: *${zone.source})?)? *$`, 'i');
/** Moments that Postgres has a word for: they pass as they are. */
const word = /^ *(?:now|today|yesterday|tomorrow|epoch|-?infinity) *$/i;

/**
 * ISO 8601 in UTC with the microseconds kept, as Postgres has them and `Date` has not; without a zone it is UTC. Null for
 * what is no moment of the calendar.
 */
function instant(value: string): string | null {
  if (word.test(value)) return value.trim();
  const parts = timestamp.exec(value)?.groups;
  if (parts === undefined) return null;
  const {
    year,
    month = '',
    day = '',
    hour = '00',
    minute = '00',
    second = '00',
    fraction = '',
    offset = '+00',
  } = parts;
  const noon = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day), 12));
  if (noon.getUTCDate() !== Number(day) || noon.getUTCMonth() !== Number(month) - 1) return null;
  const two = (digits: string) => digits.padStart(2, '0');
  const away = `${offset.slice(0, 3)}:${offset.slice(3).replace(':', '') || '00'}`;
  const seconds = new Date(`${year}-${two(month)}-${two(day)}T${two(hour)}:${minute}:${second}${away}`);
  if (Number.isNaN(seconds.getTime())) return null;
  const utc = seconds.toISOString();
  if (utc.length !== 24 || utc.startsWith('0000')) return null;
  return `${utc.slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}
