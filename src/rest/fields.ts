import { z } from 'zod';
import { decimalOf, flagOf, integerOf, fromUnix, parseTimestamp, toUtc } from '../tasks/lax.ts';
import { isLongerThan, tooLong } from '../tasks/limits.ts';
import { budgets } from './budgets.ts';

/**
 * One fault of a request, as pydantic and FastAPI report it: clients match on `type` and `loc`. A reader turns an unknown value
 * into a typed one, or returns its faults and where below the value they are.
 */
export interface Fault {
  readonly type: string;
  readonly msg: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
  /** Below the value that was read; empty or absent for the value itself. */
  readonly path?: readonly (string | number)[];
  /** Where `path` is no path of the value: it names the arm of a union. */
  readonly input?: unknown;
}

export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

export type Reader<T> = (value: unknown) => Reading<T>;

export function read<T>(value: T): Reading<T> {
  return { ok: true, value };
}

export function fault(type: string, msg: string, ctx?: Readonly<Record<string, unknown>>): Reading<never> {
  return { ok: false, faults: [ctx === undefined ? { type, msg } : { type, msg, ctx }] };
}

/** The same faults, seen from `step` levels up; each keeps the input that it is about. */
export function below(faults: readonly Fault[], step: readonly (string | number)[], input: unknown): Fault[] {
  return faults.map((entry) => ({
    ...entry,
    path: [...step, ...(entry.path ?? [])],
    input: 'input' in entry ? entry.input : input,
  }));
}

/** Scalars as pydantic's lax mode reads them, from query strings and from JSON (kat-contract §1). */

export const text: Reader<string> = (value) =>
  typeof value === 'string' ? read(value) : fault('string_type', 'Input should be a valid string');

/** Clamped to ±2^53: no field needs more. */
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

/** No text and no boolean: for routes that mula does not have. */
export const number: Reader<number> = (value) =>
  typeof value === 'number' ? read(value) : fault('float_type', 'Input should be a valid number');

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

const uuidDigits = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** As pydantic also within braces or behind `urn:uuid:`. Canonical form: lower case with hyphens. */
export const uuid: Reader<string> = (value) => {
  if (typeof value !== 'string') return fault('uuid_type', 'UUID input should be a string, bytes or UUID object');
  const inBraces = value.startsWith('{') && value.endsWith('}');
  const digits = inBraces ? value.slice(1, -1) : value.startsWith('urn:uuid:') ? value.slice(9) : value;
  if (!uuidDigits.test(digits)) {
    return fault('uuid_parsing', 'Input should be a valid UUID', { error: 'expected a UUID' });
  }
  const hex = digits.replaceAll('-', '').toLowerCase();
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

/**
 * Zod schemas around the readers: one schema validates, types the handler and describes itself in /openapi.json. An
 * absent value is a fault of its own (`missing`), as in pydantic.
 */
export function field<T>(reader: Reader<T>, description: Record<string, unknown>) {
  return z
    .unknown()
    .transform((value, context): T => {
      const reading = value === undefined ? absent : reader(value);
      if (reading.ok) return reading.value;
      for (const { type, msg, ctx, path, ...rest } of reading.faults) {
        context.addIssue({
          code: 'custom',
          message: msg,
          path: [...(path ?? [])],
          params: { type, ctx, ...('input' in rest ? { input: rest.input } : {}) },
        });
      }
      return z.NEVER;
    })
    .meta(description);
}

const absent: Reading<never> = { ok: false, faults: [{ type: 'missing', msg: 'Field required' }] };

/** Ids, names, crons: stored, compared and shown. */
export const stringField = () => shortTextField(budgets.textCharacters);
export const integerField = () => field(integer, { type: 'integer' });
export const flagField = () => field(flag, { type: 'boolean' });
export const uuidField = () => field(uuid, { type: 'string', format: 'uuid' });
export const timestampField = () => field(timestamp, { type: 'string', format: 'date-time' });
export const dictionaryField = () => field(dictionary, { type: 'object', additionalProperties: true });

/** Between `least` and `most`; outside is a fault that names the bound. */
export function boundedField(reader: Reader<number>, least: number, most: number, type: 'integer' | 'number') {
  return field<number>(
    (value) => {
      const reading = reader(value);
      if (!reading.ok || (reading.value >= least && reading.value <= most)) return reading;
      const [name, word, bound] =
        reading.value < least
          ? (['greater_than_equal', 'greater', least] as const)
          : (['less_than_equal', 'less', most] as const);
      const ctx = { [word === 'greater' ? 'ge' : 'le']: bound };
      return {
        ok: false,
        faults: [{ type: name, msg: `Input should be ${word} than or equal to ${bound}`, ctx }],
      };
    },
    { type, minimum: least, maximum: most },
  );
}

/** One of a closed list. */
export function choiceField<const V extends string>(values: readonly V[], type: 'enum' | 'literal_error' = 'enum') {
  const known: ReadonlySet<unknown> = new Set(values);
  const quoted = values.map((value) => `'${value}'`);
  const expected = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
  return field<V>(
    (value) =>
      known.has(value)
        ? { ok: true, value: value as V }
        : { ok: false, faults: [{ type, msg: `Input should be ${expected}`, ctx: { expected } }] },
    { type: 'string', enum: [...values] },
  );
}

/** A name that is stored: src/tasks/limits.ts counts bytes, as Postgres does. */
export function bytesField(most: number) {
  return field<string>(
    (value) => {
      const reading = text(value);
      if (!reading.ok || !isLongerThan(reading.value, most)) return reading;
      const msg = `String should have ${tooLong(most)}`;
      return { ok: false, faults: [{ type: 'string_too_long', msg, ctx: { max_length: most } }] };
    },
    // No text of more characters has fewer bytes.
    { type: 'string', maxLength: most },
  );
}

export function shortTextField(most: number) {
  return field<string>(
    (value) => {
      const reading = text(value);
      if (!reading.ok || reading.value.length <= most) return reading;
      const msg = `String should have at most ${most} characters`;
      return { ok: false, faults: [{ type: 'string_too_long', msg, ctx: { max_length: most } }] };
    },
    { type: 'string', maxLength: most },
  );
}

/** What mula does not have, by a schema that other edges use too. */
export function schemaField<T>(schema: z.ZodType<T>) {
  const type = 'value_error';
  return field<T>(
    (value) => {
      const parsed = schema.safeParse(value);
      if (parsed.success) return read(parsed.data);
      const { issues } = parsed.error;
      return { ok: false, faults: issues.map(({ message: msg, path }) => ({ type, msg, path: path.map(String) })) };
    },
    z.toJSONSchema(schema, { io: 'input' }),
  );
}

/** Without the keys whose value is undefined: an absent parameter is an absent condition. */
export function defined<T extends Record<string, unknown>>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
