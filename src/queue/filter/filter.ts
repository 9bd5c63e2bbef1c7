import { createHash } from 'node:crypto';

/** mula's filter language as it stands on the wire, kat-contract §1. Compiled to SQL by filter-sql.ts. */
export interface Filter {
  readonly column: string;
  readonly field?: string | null | undefined;
  readonly operator: FilterOperator;
  readonly value?: unknown;
}

export interface FilterGroups {
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
