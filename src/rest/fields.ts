import { z } from 'zod';
import { isLongerThan, tooLong } from '../tasks/lengths.ts';
import { budgets } from './budgets.ts';
import type { Reader, Reading } from './fault.ts';
import { dictionary, flag, integer, text, timestamp, uuid } from './scalars.ts';

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

/** Ids, names, crons: a text that is stored, compared and shown is no larger than such a thing can be. */
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

/** A name that is stored: src/tasks/lengths.ts counts bytes, as Postgres does. */
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
