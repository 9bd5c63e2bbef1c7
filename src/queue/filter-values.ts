import { taskStatuses, type TaskStatus } from '../tasks/status.ts';
import type { ColumnKind } from './filter-columns.ts';

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

/** The value as Postgres reads it in text form, or null where it is not of this kind. */
export function textOf(kind: ColumnKind | 'json', value: unknown): string | null {
  switch (kind) {
    case 'text':
      return typeof value === 'string' && storable(value) ? value : null;
    case 'uuid':
      return typeof value === 'string' && uuid.test(value) ? value : null;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? String(value) : null;
    case 'timestamp':
      return typeof value === 'string' ? instant(value) : null;
    case 'status':
      return typeof value === 'string' && statuses.has(value.toLowerCase() as TaskStatus) ? value.toUpperCase() : null;
    case 'boolean':
      return typeof value === 'boolean' ? String(value) : null;
    case 'json':
      return storable(value) ? JSON.stringify(value) : null;
  }
}

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
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

const timestamp =
  /^(?<date>(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2}))(?:[T ](?<time>\d{2}:\d{2})(?::(?<second>\d{2})(?:\.(?<fraction>\d{1,9}))?)?(?<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/**
 * ISO 8601 in UTC with the microseconds kept, as Postgres has them and `Date` has not; without a zone it is UTC. Null for
 * what is no moment of the calendar.
 */
export function instant(value: string): string | null {
  const parts = timestamp.exec(value)?.groups;
  if (parts === undefined) return null;
  const { date, year, month, day, time = '00:00', second = '00', fraction = '', zone = 'Z' } = parts;
  const noon = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day), 12));
  if (noon.getUTCDate() !== Number(day) || noon.getUTCMonth() !== Number(month) - 1) return null;
  const offset = zone.length === 3 ? `${zone}:00` : zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
  const seconds = new Date(`${date}T${time}:${second}${offset.toUpperCase()}`);
  if (Number.isNaN(seconds.getTime())) return null;
  const utc = seconds.toISOString();
  if (utc.length !== 24 || utc.startsWith('0000')) return null;
  return `${utc.slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}
