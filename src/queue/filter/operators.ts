import type { Bind, ColumnKind, Operand } from './columns.ts';
import { type Filter, type FilterOperator, invalidFilter } from './filter.ts';
import { casts, expectations, jsonIn, parameterText } from './values.ts';

/** The comparison as SQL with every value bound. @throws RotaError INVALID_FILTER where value and column do not fit. */
export function compare(operand: Operand, filter: Filter, bind: Bind): string {
  const { operator, value } = filter;
  if (operator === 'is_null' || (equal.has(operator) && isNull(value)) || (operator === 'in' && holdsNulls(value))) {
    return `${nullable(operand)} IS NULL`;
  }
  if (
    operator === 'is_not_null' ||
    (unequal.has(operator) && isNull(value)) ||
    (operator === 'not_in' && holdsNulls(value))
  ) {
    return `${nullable(operand)} IS NOT NULL`;
  }
  if (isNull(value)) throw invalidFilter(filter, 'null goes with eq, ne, is and is_not only');
  if (operand.kind === 'json') return compareJson(operand, filter, bind);
  return compareTyped(operand.kind, operand.sql, filter, bind);
}

/** JSON null and an absent key are both null, as in mula. */
function nullable(operand: Operand): string {
  return operand.kind === 'json' ? operand.text : operand.sql;
}

function isNull(value: unknown): boolean {
  return value === null || value === undefined;
}

function holdsNulls(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isNull);
}

const equal: ReadonlySet<FilterOperator> = new Set(['==', 'eq', 'is']);
const unequal: ReadonlySet<FilterOperator> = new Set(['!=', 'ne', 'is_not']);

/** Operators that compare two values of one type. */
const comparisons: Partial<Record<FilterOperator, string>> = {
  '==': '=',
  eq: '=',
  '!=': '<>',
  ne: '<>',
  is: 'IS NOT DISTINCT FROM',
  is_not: 'IS DISTINCT FROM',
  '>': '>',
  gt: '>',
  '<': '<',
  lt: '<',
  '>=': '>=',
  gte: '>=',
  '<=': '<=',
  lte: '<=',
};

/** Operators on text. `contains` and `starts_with` are LIKE without escaping, as in mula: `%` and `_` in the value match. */
const textOperators: Partial<Record<FilterOperator, (text: string, value: string) => string>> = {
  like: (text, value) => `${text} LIKE ${value}`,
  not_like: (text, value) => `${text} NOT LIKE ${value}`,
  ilike: (text, value) => `${text} ILIKE ${value}`,
  not_ilike: (text, value) => `${text} NOT ILIKE ${value}`,
  contains: (text, value) => `${text} LIKE '%' || ${value} || '%'`,
  starts_with: (text, value) => `${text} LIKE ${value} || '%'`,
  match: (text, value) => `to_tsvector(${text}) @@ plainto_tsquery(${value})`,
  '@@': (text, value) => `to_tsvector(${text}) @@ plainto_tsquery(${value})`,
};

function compareTyped(kind: ColumnKind, sql: string, filter: Filter, bind: Bind): string {
  const { operator, value } = filter;
  const comparison = comparisons[operator];
  if (comparison !== undefined) return `${sql} ${comparison} ${bound(kind, filter, bind)}`;
  if (operator === 'in' || operator === 'not_in' || operator === 'any') {
    return member(kind, sql, operator, operator === 'any' && !Array.isArray(value) ? [value] : value, filter, bind);
  }
  const asText = textOperators[operator];
  const text = textViews[kind];
  if (asText === undefined || text === undefined) {
    throw invalidFilter(filter, `this operator does not go with ${expectations[kind]}`);
  }
  return asText(text(sql), bound('text', filter, bind));
}

/** Kinds that read as text, and how. */
const textViews: Partial<Record<ColumnKind, (sql: string) => string>> = {
  text: (sql) => sql,
  uuid: (sql) => `${sql}::text`,
  status: (sql) => `lower(${sql}::text)`,
};

function bound(kind: ColumnKind, filter: Filter, bind: Bind): string {
  const text = parameterText(kind, filter.value);
  if (text === null) throw invalidFilter(filter, `expected ${expectations[kind]}`);
  return cast(bind(text), kind);
}

function cast(placeholder: string, kind: ColumnKind | 'json'): string {
  return kind === 'text' ? `${placeholder}::text` : `${placeholder}::text::${casts[kind]}`;
}

/** `= ANY` of one is `=`: it may then use the order of an index. In nothing is nothing. */
function member(
  kind: ColumnKind,
  sql: string,
  operator: 'in' | 'not_in' | 'any',
  values: unknown,
  filter: Filter,
  bind: Bind,
): string {
  if (!Array.isArray(values)) throw invalidFilter(filter, 'expected a list');
  const texts = values.map((value) => {
    const text = parameterText(kind, value);
    if (text === null) throw invalidFilter(filter, `expected a list in which each is ${expectations[kind]}`);
    return text;
  });
  if (texts.length === 1) return `${sql} ${operator === 'not_in' ? '<>' : '='} ${cast(bind(texts[0]!), kind)}`;
  const list = `${bind(texts)}::text[]${kind === 'text' ? '' : `::${casts[kind]}[]`}`;
  return operator === 'not_in' ? `${sql} <> ALL (${list})` : `${sql} = ANY (${list})`;
}

type JsonOperand = Extract<Operand, { kind: 'json' }>;

const jsonComparisons: Partial<Record<FilterOperator, string>> = {
  ...comparisons,
  contains: '@>',
  '@>': '@>',
  '<@': '<@',
};

/** The value's type decides how a JSON value is read; one of another type is null to the comparison (never an error). */
function compareJson(operand: JsonOperand, filter: Filter, bind: Bind): string {
  const { operator, value } = filter;
  if (operator === 'any') {
    const wanted = jsonb(Array.isArray(value) ? value : [value], filter, bind);
    return `EXISTS (SELECT 1 FROM jsonb_array_elements(${wanted}) AS wanted (value) WHERE ${operand.json} @> wanted.value)`;
  }
  if (operator === '@?' || (operator === '@@' && typeof value === 'string' && value.includes('$'))) {
    // A jsonpath predicate reads the document through `$`; an `@@` without one is a full-text query, as in mula.
    return `${operand.json} ${operator} ${bound('text', filter, bind)}::jsonpath`;
  }
  if (operator === '@>' || operator === '<@') {
    const json = typeof value === 'string' ? (jsonIn(value) ?? value) : value;
    return `${operand.json} ${operator} ${jsonb(json, filter, bind)}`;
  }
  if (operator === 'in' || operator === 'not_in') return jsonMember(operand, operator, filter, bind);
  const document = Array.isArray(value) ? value : typeof value === 'string' ? jsonIn(value) : null;
  const onDocument = jsonComparisons[operator];
  if (document !== null && onDocument !== undefined)
    return `${operand.json} ${onDocument} ${jsonb(document, filter, bind)}`;
  const kind = scalarKind(filter, value);
  return compareTyped(kind, view(operand, kind), filter, bind);
}

function jsonMember(operand: JsonOperand, operator: 'in' | 'not_in', filter: Filter, bind: Bind): string {
  if (!Array.isArray(filter.value)) throw invalidFilter(filter, 'expected a list');
  const kind = filter.value.length === 0 ? 'text' : scalarKind(filter, filter.value[0]);
  return member(kind, view(operand, kind), operator, filter.value, filter, bind);
}

function scalarKind(filter: Filter, value: unknown): 'text' | 'number' | 'boolean' {
  if (typeof value === 'string') return 'text';
  if (typeof value === 'number' || typeof value === 'boolean') return typeof value as 'number' | 'boolean';
  throw invalidFilter(filter, 'expected a string, a number, true, false, or a list of one of them');
}

/** The cast is inside a CASE, so that it never meets a value it would fail on. */
function view(operand: JsonOperand, kind: 'text' | 'number' | 'boolean'): string {
  if (kind === 'text') return operand.text;
  return `(CASE WHEN jsonb_typeof(${operand.json}) = '${kind}' THEN ${operand.text}::${casts[kind]} END)`;
}

function jsonb(value: unknown, filter: Filter, bind: Bind): string {
  const text = parameterText('json', value);
  if (text === null) throw invalidFilter(filter, `expected ${expectations.json}`);
  return cast(bind(text), 'json');
}
