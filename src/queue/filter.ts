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
