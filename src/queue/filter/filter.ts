import { createHash } from 'node:crypto';
import { RotaError } from '../../errors.ts';
import { excerpt } from '../../printable.ts';
import { jsonExcess } from '../../tasks/limits.ts';

/** mula's filter language on the wire, kat-contract §1. Compiled to SQL by compile.ts. */
export interface Filter {
  readonly column: string;
  readonly field?: string | null | undefined;
  readonly operator: FilterOperator;
  readonly value?: unknown;
}

interface FilterGroups {
  readonly and?: readonly Filter[] | undefined;
  readonly or?: readonly Filter[] | undefined;
  readonly not?: readonly Filter[] | undefined;
}

/** A list means `and`; groups are ANDed. */
export interface FilterRequest {
  readonly filters: readonly Filter[] | FilterGroups;
}

export const filterOperators = [
  '==',
  'eq',
  '!=',
  'ne',
  'is',
  'is_not',
  'is_null',
  'is_not_null',
  '>',
  'gt',
  '<',
  'lt',
  '>=',
  'gte',
  '<=',
  'lte',
  'like',
  'not_like',
  'ilike',
  'not_ilike',
  'in',
  'not_in',
  'contains',
  'any',
  'match',
  'starts_with',
  '@>',
  '<@',
  '@?',
  '@@',
] as const;

export type FilterOperator = (typeof filterOperators)[number];

export function groupsOf({ filters }: FilterRequest): FilterGroups {
  return 'length' in filters ? { and: filters } : filters;
}

/**
 * Equal for filters that are written alike, in any order of their keys: pops with the same key share a claim. Of a long
 * one its digest: keys are kept for longer than their pops wait, and a filter may have 700 kB.
 */
export function filterKey(request: FilterRequest): string {
  const { and = [], or = [], not = [] } = groupsOf(request);
  const listOf = (filters: readonly Filter[]) =>
    filters.map(({ column, field, operator, value }) => [column, field || null, operator, value ?? null]);
  const text = JSON.stringify([listOf(and), listOf(or), listOf(not)]);
  return text.length <= longestKey ? text : createHash('sha256').update(text).digest('base64');
}

const longestKey = 200;

/**
 * The bounds of one filter. Both edges and each compilation check them on the value as it came, in one pass that stops at the
 * first bound: 90 kB of conditions gave a 9.8 MB answer, and 20 000 of them kept a backend of Postgres planning for 12 minutes,
 * deaf to every cancel.
 */
export const filterBudget = {
  /** And, or and not together. A runner of KAT sends two. */
  conditions: 100,
  /** Of all lists together: a fleet's images, an organisation's ids. */
  values: 10_000,
  /** Lists and objects within each other, in a value or in a text that holds JSON. */
  depth: 5,
  /** Characters of a column, a field (a path into JSON) and a pattern: LIKE looks at no cancel within one text. */
  nameLength: 1_000,
  patternLength: 1_000,
  /** Characters of any other text: a jsonpath, a JSON document. */
  textLength: 10_000,
} as const;

/** Different filters of the waiting pops of one scheduler, for each way to find tasks: a push makes each of them look. */
export const distinctFilters = 500;

/** Where a filter exceeds its budget, as a path from `filters` on, and what was expected. */
interface Excess {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The first bound that the value of `filters` (of any type) exceeds; null where it exceeds none, or is no filter. */
export function excessOf(filters: unknown): Excess | null {
  const left = { conditions: filterBudget.conditions, values: filterBudget.values };
  if (Array.isArray(filters)) return excessOfGroup(filters, [], left);
  if (typeof filters !== 'object' || filters === null) return null;
  let groups = 0;
  for (const [name, group] of Object.entries(filters)) {
    groups += 1;
    if (groups > mostGroups) return { path: [], message: `at most ${mostGroups} groups (and, or, not)` };
    if (!Array.isArray(group)) continue;
    const excess = excessOfGroup(group, [name.slice(0, 100)], left);
    if (excess !== null) return excess;
  }
  return null;
}

/** @throws RotaError INVALID_FILTER */
export function requireWithinBudget(filters: unknown): void {
  const excess = excessOf(filters);
  if (excess === null) return;
  const field = ['filters', ...excess.path].join('.');
  throw new RotaError('INVALID_FILTER', `${field}: ${excess.message}`, { fields: { field } });
}

/** There are three; a few misspelt ones are left for validation to name. */
const mostGroups = 10;

interface Left {
  conditions: number;
  values: number;
}

function excessOfGroup(group: readonly unknown[], at: Excess['path'], left: Left): Excess | null {
  left.conditions -= group.length;
  if (left.conditions < 0) return { path: at, message: `at most ${filterBudget.conditions} conditions in one filter` };
  for (const [index, condition] of group.entries()) {
    const excess = excessOfCondition(condition, left);
    if (excess !== null) return { ...excess, path: [...at, index, ...excess.path] };
  }
  return null;
}

const patterns: ReadonlySet<unknown> = new Set(['like', 'not_like', 'ilike', 'not_ilike', 'contains', 'starts_with']);

function excessOfCondition(condition: unknown, left: Left): Excess | null {
  if (typeof condition !== 'object' || condition === null) return null;
  const { column, field, operator, value } = condition as Record<string, unknown>;
  for (const [name, text] of Object.entries({ column, field, operator })) {
    if (typeof text === 'string' && text.length > filterBudget.nameLength)
      return tooLong(name, filterBudget.nameLength);
  }
  const length = patterns.has(operator) ? filterBudget.patternLength : filterBudget.textLength;
  return excessOfValue(value, length, left);
}

/** Level by level, so that no value is deep enough for our own stack; never more members than the filter has left. */
function excessOfValue(value: unknown, length: number, left: Left): Excess | null {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    const below: unknown[] = [];
    for (const entry of level) {
      if (typeof entry === 'string') {
        if (entry.length > length) return tooLong('value', length);
        if (/^\s*[[{]/.test(entry) && jsonExcess(entry, filterBudget.depth) !== null) return tooDeep;
        continue;
      }
      if (typeof entry !== 'object' || entry === null) continue;
      if (depth === filterBudget.depth) return tooDeep;
      const members = Array.isArray(entry) ? entry : Object.entries(entry).flat();
      left.values -= members.length;
      if (left.values < 0) {
        return { path: ['value'], message: `at most ${filterBudget.values} values in the lists of one filter` };
      }
      below.push(...members);
    }
    level = below;
  }
  return null;
}

const tooDeep: Excess = { path: ['value'], message: `at most ${filterBudget.depth} levels of nesting` };

function tooLong(name: string, length: number): Excess {
  return { path: [name], message: `at most ${length} characters` };
}

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
 * SQLSTATEs that a filter's value can cause, by class: 22 for a value that cannot be read (a jsonpath, a regular expression in
 * one, a number), 54 for one that is too large (a text too long to search, a stack), 0A for a feature of jsonpath that Postgres
 * lacks, and 42 for a jsonpath that does not parse or names a variable; not for a missing table, column, function or privilege.
 * A fault of the statement's own text has a position, and is ours; values are bound, and have none.
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
  const words = excerpt(String(message));
  return new RotaError('INVALID_FILTER', `Invalid filter value: ${words}`, {
    cause: error,
    fields: { sqlState: code },
  });
}
