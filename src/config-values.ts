import { z } from 'zod';
import { decimalOf, flagOf, integerOf } from './tasks/lax.ts';

/**
 * Kinds of values that a variable may have. Each tells what it allows: in the message that refuses a value, and in
 * docs/configuration.md (`allowedIn`).
 */

/** 0 and 1 are numbers to pydantic, and words to it in an environment. */
export const flag = (fallback: boolean) =>
  defaulting(read('`true` or `false` (also 1/0, t/f, yes/no, y/n, on/off, in any case)', flagOf), fallback);

/** Bounds are part of what is allowed: without a greatest value a timer overflows (2^31 ms), or the database's integer. */
export const count = (fallback: number, { least = 0, most = 1_000_000 } = {}) =>
  defaulting(read(`a whole number from ${least} to ${most}`, between(integerOf, least, most)), fallback);

export const seconds = (fallback: number, { least = 1, most = 31_536_000 } = {}) =>
  defaulting(read(`a number from ${least} to ${most}`, between(decimalOf, least, most)), fallback);

/** A part of a whole. */
export const share = (fallback: number) =>
  defaulting(read('a number from 0.01 to 1', between(decimalOf, 0.01, 1)), fallback);

export const choice = <const Word extends string>(words: readonly Word[], fallback: NoInfer<Word>) => {
  const wordOf = (given: string) => words.find((word) => word === given.toLowerCase()) ?? null;
  return defaulting<Word>(read(words.map((word) => `\`${word}\``).join(' or '), wordOf), fallback);
};

/** @param form brings it to the form in which Rota uses it; null where it is none. */
export const url = (allowed: string, form: (text: string) => string | null) => optional(read(allowed, form));

export const matching = (allowed: string, pattern: RegExp) =>
  read(allowed, (text) => (pattern.test(text) ? text : null));

/** As it stands: quotes and spaces may belong to a password. */
export const text = () => optional(telling(z.string(), 'any text'));

/** As it stands too, but not any: what a header cannot carry would never be answered anything but 401. */
export const textOf = (allowed: string, form: RegExp) =>
  optional(
    telling(
      z.string().refine((given) => form.test(given), { error: allowed }),
      allowed,
    ),
  );

/** What a variable may be set to; null where its schema does not tell. */
export function allowedIn(schema: z.ZodType): string | null {
  const allowed = schema.meta()?.['allowed'];
  return typeof allowed === 'string' ? allowed : null;
}

export function optional<Schema extends z.ZodType>(schema: Schema) {
  return telling(schema.optional(), allowedIn(schema));
}

export function defaulting<T extends string | number | boolean>(schema: z.ZodType<T>, fallback: T) {
  return telling(schema.default(fallback as z.util.NoUndefined<T>), allowedIn(schema));
}

function read<T>(allowed: string, reader: (text: string) => T | null) {
  const schema = z.string().transform((given, context): T => {
    const value = reader(bare(given));
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message: allowed.replaceAll('`', '') });
    return z.NEVER;
  });
  return telling(schema, allowed);
}

/** zod keeps what is told of a schema for that schema alone, not for what is made of it. */
function telling<Schema extends z.ZodType>(schema: Schema, allowed: string | null): Schema {
  return allowed === null ? schema : schema.meta({ allowed });
}

/** Without the quotes that `docker run --env-file` leaves round a value, and without spaces. */
export function bare(given: string): string {
  return given
    .trim()
    .replace(/^(["'])(.*)\1$/s, '$2')
    .trim();
}

function between(reader: (text: string) => number | null, least: number, most: number) {
  return (given: string) => {
    const value = reader(given);
    return value !== null && value >= least && value <= most ? value : null;
  };
}
