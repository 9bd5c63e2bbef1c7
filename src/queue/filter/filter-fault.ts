import { RotaError } from '../../errors.ts';
import { excerpt } from '../../excerpt.ts';
import type { Filter } from './filter.ts';

/** A refused filter, which names its column, field and operator; never its value, which may be long or private. */
export function invalidFilter(filter: Filter, why: string, cause?: unknown): RotaError {
  const name = filter.field ? `${short(filter.column)}.${short(filter.field)}` : short(filter.column);
  return new RotaError('INVALID_FILTER', `Invalid filter on ${name} with operator ${short(filter.operator)}: ${why}`, {
    fields: {
      column: short(filter.column),
      field: filter.field ? short(filter.field) : null,
      operator: short(filter.operator),
    },
    ...(cause === undefined ? {} : { cause }),
  });
}

function short(name: unknown): string {
  return excerpt(String(name), 100);
}

/**
 * What a filter's value can be blamed for once its statement runs, by class: 22 is a value that cannot be read (a jsonpath, a
 * regular expression in one, a number), 54 one that is too much (a text too long to search, a stack), 0A a feature of jsonpath
 * that Postgres has not, and 42 a jsonpath that does not parse or names a variable; but for a table, column, function or
 * privilege that is not there. What is wrong with the statement's own text has a position in
 * it, and is ours; values are bound, and have none.
 */
const ofValue = /^(?:22...|54...|0A...|42(?!501|P01|703|883)...)$/;

/**
 * What to throw for an error of a statement that holds a compiled filter: INVALID_FILTER where the filter's value is to blame.
 * Postgres quotes the value: its words are cut.
 */
export function filterFault(error: unknown): unknown {
  const { code, message, position } = (error ?? {}) as { code?: unknown; message?: unknown; position?: unknown };
  if (error instanceof RotaError || typeof code !== 'string' || !ofValue.test(code)) return error;
  if (position !== undefined) return error;
  const told = excerpt(String(message));
  return new RotaError('INVALID_FILTER', `Invalid filter value: ${told}`, { cause: error, fields: { sqlState: code } });
}
