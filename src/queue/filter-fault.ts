import { RotaError } from '../errors.ts';
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
  return String(name).slice(0, 100);
}

/**
 * SQLSTATEs that a bound filter value can still cause when the statement runs: what only Postgres can judge (a jsonpath,
 * a number out of range, JSON nested too deep, a LIKE pattern that ends in its escape character).
 */
const valueFaults: ReadonlySet<string> = new Set(['22P02', '22P05', '22003', '22021', '22025', '54001']);

/** What to throw for an error of a statement that holds a compiled filter: INVALID_FILTER where the filter's value is to blame. */
export function filterFault(error: unknown): unknown {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code !== 'string') return error;
  // A jsonpath that does not parse has the code of a statement that does not parse: only the former is the filter's.
  if (!valueFaults.has(code) && !String(message).includes('jsonpath')) return error;
  return new RotaError('INVALID_FILTER', `Invalid filter value: ${String(message)}`, { cause: error });
}
