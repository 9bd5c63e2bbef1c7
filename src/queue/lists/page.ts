import { codeOf, RotaError } from '../../errors.ts';
import { pageMs, query, type Sql, statement } from '../../postgres/pool.ts';
import { databaseError, queryCanceled, sqlState } from '../../postgres/sql-states.ts';
import { filterFault, type FilterRequest } from '../filter/filter.ts';
import { roomBytes } from '../queue.ts';

/** The conditions of one statement that is put together at run time: every value becomes a parameter. */
export class Conditions {
  readonly values: unknown[];
  readonly #texts: string[] = [];

  /** @param values of the first placeholders */
  constructor(...values: unknown[]) {
    this.values = values;
  }

  /** The placeholder of a value. */
  bind(value: unknown): string {
    return `$${this.values.push(value)}`;
  }

  add(text: string): void {
    this.#texts.push(text);
  }

  /** Adds `column = value`, unless the value is absent. */
  addEqual(column: string, value: string | boolean | undefined): void {
    if (value !== undefined) this.add(`${column} = ${this.bind(value)}`);
  }

  /** Adds an expression whose first placeholder is number `nextParameter`. */
  append(expression: { readonly text: string; readonly values: readonly unknown[] }): void {
    this.#texts.push(expression.text);
    this.values.push(...expression.values);
  }

  get nextParameter(): number {
    return this.values.length + 1;
  }

  /** ` WHERE …`, or nothing. */
  where(): string {
    return this.#texts.length === 0 ? '' : ` WHERE ${this.#texts.join(' AND ')}`;
  }
}

/** Adds `column >= min` and `column <= max`, both inclusive as in mula. ISO timestamps. */
export function addRange(
  conditions: Conditions,
  column: string,
  min: string | undefined,
  max: string | undefined,
): void {
  if (min !== undefined) conditions.add(`${column} >= ${conditions.bind(min)}::text::timestamptz`);
  if (max !== undefined) conditions.add(`${column} <= ${conditions.bind(max)}::text::timestamptz`);
}

/** Which part of a list, and how far to count. */
export interface ListBounds {
  readonly offset: number;
  /** 0 counts only. */
  readonly limit: number;
  readonly filters: FilterRequest | null;
  /** Counts no further than offset + so many pages + 1 (`allow_partial_count`); null counts exactly. */
  readonly countPages: number | null;
}

export interface JsonPage {
  readonly count: number;
  /** The count stopped at its bound: there are at least so many. */
  readonly partial: boolean;
  /** A JSON array as text, newest first. */
  readonly results: string;
  /** The page was full after so many rows, and the next one begins there; null where all had room. */
  readonly cutAt: number | null;
}

export interface PageSource {
  /** FROM clause, without the keyword. */
  readonly from: string;
  /** Expressions of the row's id and created_at: the order of the list. */
  readonly id: string;
  readonly createdAt: string;
  /** The table that ids belong to, and the function that writes its rows. */
  readonly table: 'tasks' | 'schedules';
  readonly json: 'rota_task_json' | 'rota_schedule_json';
}

/**
 * One page and the count in one statement. Rows of one moment are in the order of their ids, so that pages neither repeat nor
 * lose one. Only ids are sorted; the page's rows are then fetched one by one until the page is full: the rest is never read.
 * Planned anew each time: one text serves an organisation of ten tasks and one of ten million.
 * @throws RotaError INVALID_FILTER where a filter's value is to blame, LIST_TOO_SLOW
 */
export async function readPage(
  sql: Sql,
  source: PageSource,
  conditions: Conditions,
  { offset, limit, countPages }: ListBounds,
): Promise<JsonPage> {
  const selected = `FROM ${source.from}${conditions.where()}`;
  const bound = countPages === null ? Number.POSITIVE_INFINITY : offset + countPages * limit;
  const counted = countPages === null ? selected : `${selected} LIMIT ${conditions.bind(bound + 1)}`;
  const window = `LIMIT ${conditions.bind(limit)} OFFSET ${conditions.bind(offset)}`;
  const text = `
    WITH RECURSIVE page AS MATERIALIZED (
      SELECT ${source.id} AS id, ${source.createdAt} AS created_at ${selected}
      ORDER BY ${source.createdAt} DESC, ${source.id} DESC ${window}
    ),
    ids AS MATERIALIZED (SELECT array_agg(id ORDER BY created_at DESC, id DESC) AS list FROM page),
    ${entriesOf(source)}
    SELECT
      (SELECT count(*)::float8 FROM (SELECT 1 ${counted}) AS matching) AS count,
      nullif(max(at), (SELECT coalesce(cardinality(list), 0) FROM ids)) AS "cutAt",
      concat('[', string_agg(json, ',' ORDER BY at), ']') AS results
    FROM entries WHERE at <= 1 OR bytes <= ${roomBytes}`;
  try {
    const [row] = await query<{ count: number; cutAt: number | null; results: string }>(sql, text, conditions.values, {
      prepare: false,
      withinMs: 2 * pageMs,
    });
    return { count: row!.count, partial: row!.count > bound, results: row!.results, cutAt: row!.cutAt };
  } catch (error) {
    throw listFailed(error);
  }
}

/** The text of entries.sql: rows as JSON, as many as have room. */
export function entriesOf({ table, json }: Pick<PageSource, 'table' | 'json'>, room = roomBytes): string {
  return statement('lists/entries')
    .replaceAll('{json}', json)
    .replaceAll('{table}', table)
    .replaceAll('{room}', String(room))
    .trimEnd();
}

export function listFailed(error: unknown): unknown {
  if (sqlState(error) === queryCanceled || codeOf(error) === 'DATABASE_UNAVAILABLE') return listTooSlow(error);
  return databaseError(filterFault(error));
}

function listTooSlow(cause: unknown): RotaError {
  return new RotaError(
    'LIST_TOO_SLOW',
    `the list was not there within ${pageMs / 1_000} s: narrow it by scheduler_id, organisation, status or created_at, or ask later`,
    { cause },
  );
}
