import type { Conditions } from './conditions.ts';
import type { FilterRequest } from './filter.ts';
import { filterFault } from './filter-fault.ts';
import { query, type Sql } from './postgres.ts';
import { databaseError } from './sql-states.ts';

/** Which part of a list, and how far to count. */
export interface ListBounds {
  readonly offset: number;
  /** 0 counts only. */
  readonly limit: number;
  readonly filters: FilterRequest | null;
  /** Counts no further than offset + so many pages + 1 (`allow_partial_count`); null counts exactly. */
  readonly countPages: number | null;
}

export interface Page {
  readonly count: number;
  /** The count stopped at its bound: there are at least so many. */
  readonly partial: boolean;
  /** A JSON array as text, newest first. */
  readonly results: string;
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
 * One page and the count in one statement. Rows of one moment are in the order of their ids, so that pages neither
 * repeat nor lose one. Only ids are sorted; the page's rows are fetched and written afterwards. Planned anew each time:
 * one text serves an organisation of ten tasks and one of ten million.
 * @throws RotaError INVALID_FILTER where a filter's value is to blame.
 */
export async function readPage(
  sql: Sql,
  source: PageSource,
  conditions: Conditions,
  { offset, limit, countPages }: ListBounds,
): Promise<Page> {
  const selected = `FROM ${source.from}${conditions.where()}`;
  const bound = countPages === null ? Number.POSITIVE_INFINITY : offset + countPages * limit;
  const counted = countPages === null ? selected : `${selected} LIMIT ${conditions.bind(bound + 1)}`;
  const window = `LIMIT ${conditions.bind(limit)} OFFSET ${conditions.bind(offset)}`;
  const text = `
    WITH page AS MATERIALIZED (
      SELECT ${source.id} AS id, ${source.createdAt} AS created_at ${selected}
      ORDER BY ${source.createdAt} DESC, ${source.id} DESC ${window}
    )
    SELECT
      (SELECT count(*)::float8 FROM (SELECT 1 ${counted}) AS matching) AS count,
      (SELECT concat('[', string_agg(${source.json}(entry), ',' ORDER BY page.created_at DESC, page.id DESC), ']')
        FROM page JOIN ${source.table} AS entry ON entry.id = page.id) AS results`;
  try {
    const [row] = await query<{ count: number; results: string }>(sql, text, conditions.values, { prepare: false });
    return { count: row!.count, partial: row!.count > bound, results: row!.results };
  } catch (error) {
    throw databaseError(filterFault(error));
  }
}
