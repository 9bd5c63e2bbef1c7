import { codeOf, RotaError } from '../../errors.ts';
import { pageMs, query, queryByKey, type Sql, statement } from '../../postgres/pool.ts';
import { databaseError, queryCanceled, sqlState } from '../../postgres/sql-states.ts';
import { filterFault, type FilterRequest } from '../filter/filter.ts';
import { roomBytes } from '../queue.ts';

/** The conditions of one statement that is put together at run time: every value becomes a parameter. */
export class Conditions {
  readonly values: unknown[];
  readonly #texts: string[] = [];
  readonly #looks: string[] = [];

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

  /** Adds a condition that no index serves: a row must be looked at to know whether it matches. */
  addLook(text: string): void {
    this.#looks.push(text);
  }

  /** Adds `column = value`, unless the value is absent. */
  addEqual(column: string, value: string | boolean | undefined): void {
    if (value !== undefined) this.add(`${column} = ${this.bind(value)}`);
  }

  /** The text of an expression whose first placeholder is number `nextParameter`, which is added next. */
  bindAll(expression: { readonly text: string; readonly values: readonly unknown[] }): string {
    this.values.push(...expression.values);
    return expression.text;
  }

  get nextParameter(): number {
    return this.values.length + 1;
  }

  /** ` WHERE …`, or nothing. */
  where(): string {
    const texts = [...this.#texts, ...this.#looks];
    return texts.length === 0 ? '' : ` WHERE ${texts.join(' AND ')}`;
  }

  /** What an index serves, `true` where nothing is asked of it; and what a row must be looked at for. */
  parts(): { readonly served: string; readonly looks: string | null } {
    const all = (texts: readonly string[]) => (texts.length === 0 ? null : texts.join(' AND '));
    return { served: all(this.#texts) ?? 'true', looks: all(this.#looks) };
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
  /** Whether an index has what the other conditions leave in the list's order, so that a bounded count may stop looking. */
  readonly inOrder?: boolean;
}

/** Rows behind a page that a bounded count looks at, where a row must be looked at: 10 ms. */
const lookedBehind = 2_000;

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
  bounds: ListBounds,
): Promise<JsonPage> {
  try {
    const { looks } = conditions.parts();
    return await (source.inOrder === true && looks !== null && bounds.countPages !== null
      ? readLookedPage(sql, source, conditions, { ...bounds, countPages: bounds.countPages })
      : readServedPage(sql, source, conditions, bounds));
  } catch (error) {
    throw listFailed(error);
  }
}

async function readServedPage(
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
  const options = { prepare: false, withinMs: 2 * pageMs };
  const [row] = await query<CountedPage>(sql, text, conditions.values, options);
  return { count: row!.count, partial: row!.count > bound, results: row!.results, cutAt: row!.cutAt };
}

interface CountedPage {
  readonly count: number;
  readonly cutAt: number | null;
  readonly results: string;
}

type Bounded = ListBounds & { readonly countPages: number };

async function readLookedPage(
  sql: Sql,
  source: PageSource,
  conditions: Conditions,
  bounds: Bounded,
): Promise<JsonPage> {
  const { text, values } = lookedPageStatement(source, conditions, bounds, lookedBehind);
  const options = { prepare: false, withinMs: 2 * pageMs, anew: true, bare: true };
  const [row] = await queryByKey<CountedPage & { ended: boolean }>(sql, text, values, options);
  const bound = bounds.offset + bounds.countPages * bounds.limit;
  const count = Math.min(row!.count, bound + 1);
  return { count, partial: !row!.ended || row!.count > bound, results: row!.results, cutAt: row!.cutAt };
}

export function lookedPageStatement(
  source: PageSource,
  conditions: Conditions,
  { offset, limit }: ListBounds,
  behind: number,
): { text: string; values: readonly unknown[] } {
  const { served, looks } = conditions.parts();
  const parts: Readonly<Record<string, string>> = {
    id: source.id,
    created_at: source.createdAt,
    from: source.from,
    served,
    looks: looks ?? 'true',
    offset: conditions.bind(offset),
    limit: conditions.bind(limit),
    behind: conditions.bind(behind),
    entries: entriesOf(source),
    room: String(roomBytes),
  };
  // In one pass: a path in a filter may look like a name.
  const text = statement('lists/looked-page').replaceAll(/\{(\w+)\}/g, (_name, name: string) => parts[name]!);
  return { text, values: conditions.values };
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
