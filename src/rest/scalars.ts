import { decimalOf, flagOf, integerOf, fromUnix, parseTimestamp, toUtc } from '../tasks/lax.ts';
import { budgets } from './budgets.ts';
import { fault, read, type Reader } from './fault.ts';
import { uuidFault } from './uuid-fault.ts';

/** What pydantic makes of scalars in its lax mode: query strings and JSON alike (kat-contract §1). */

export const text: Reader<string> = (value) =>
  typeof value === 'string' ? read(value) : fault('string_type', 'Input should be a valid string');

/** Beyond 2^53 a number is clamped: nothing that takes one here could use more. */
export const integer: Reader<number> = (value) => {
  if (typeof value === 'boolean') return read(value ? 1 : 0);
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return read(clamp(value));
    return fault('int_from_float', 'Input should be a valid integer, got a number with a fractional part');
  }
  if (typeof value !== 'string') return fault('int_type', 'Input should be a valid integer');
  const parsed = integerOf(value);
  return parsed === null
    ? fault('int_parsing', 'Input should be a valid integer, unable to parse string as an integer')
    : read(clamp(parsed));
};

function clamp(value: number): number {
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

export const decimal: Reader<number> = (value) => {
  if (typeof value === 'boolean') return read(value ? 1 : 0);
  if (typeof value === 'number') return read(value);
  if (typeof value !== 'string') return fault('float_type', 'Input should be a valid number');
  const parsed = decimalOf(value);
  return parsed === null
    ? fault('float_parsing', 'Input should be a valid number, unable to parse string as a number')
    : read(parsed);
};

export const flag: Reader<boolean> = (value) => {
  if (typeof value === 'boolean') return read(value);
  if (typeof value !== 'string' && typeof value !== 'number') {
    return fault('bool_type', 'Input should be a valid boolean');
  }
  const parsed = flagOf(String(value));
  return parsed === null
    ? fault('bool_parsing', 'Input should be a valid boolean, unable to interpret input')
    : read(parsed);
};

/** Canonical form: lower case with dashes. */
export const uuid: Reader<string> = (value) => {
  if (typeof value !== 'string') return fault('uuid_type', 'UUID input should be a string, bytes or UUID object');
  const problem =
    value.length > budgets.textCharacters
      ? `invalid length: expected length 32 for simple format, found ${value.length}`
      : uuidFault(value);
  if (problem !== null) return fault('uuid_parsing', `Input should be a valid UUID, ${problem}`, { error: problem });
  const hex = value
    .replace(/^urn:uuid:/, '')
    .replaceAll(/[{}-]/g, '')
    .toLowerCase();
  return read([hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'));
};

/** UTC with microseconds. */
export const timestamp: Reader<string> = (value) => {
  if (typeof value !== 'string' && typeof value !== 'number') {
    return fault('datetime_type', 'Input should be a valid datetime');
  }
  const parsed = typeof value === 'number' ? fromUnix(value) : parseTimestamp(value);
  if (parsed !== null) return read(toUtc(parsed));
  const error = dateProblem(String(value));
  return fault('datetime_from_date_parsing', `Input should be a valid datetime or date, ${error}`, { error });
};

function dateProblem(value: string): string {
  if (value.length < 10) return 'input is too short';
  if (!/^\d{4}/.test(value)) return 'invalid character in year';
  if (value[4] !== '-' || value[7] !== '-') return 'invalid date separator, expected `-`';
  if (!/^\d\d$/.test(value.slice(5, 7))) return 'invalid character in month';
  if (!/^\d\d$/.test(value.slice(8, 10))) return 'invalid character in day';
  const [month, day] = [Number(value.slice(5, 7)), Number(value.slice(8, 10))];
  if (month < 1 || month > 12) return 'month value is outside expected range of 1-12';
  if (day < 1 || day > new Date(Date.UTC(Number(value.slice(0, 4)), month, 0)).getUTCDate()) {
    return 'day value is outside expected range';
  }
  return 'unexpected extra characters at the end of the input';
}

export const dictionary: Reader<Record<string, unknown>> = (value) =>
  isObject(value) ? read(value) : fault('dict_type', 'Input should be a valid dictionary');

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
