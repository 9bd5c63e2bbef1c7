import type { Conditions } from './conditions.ts';
import { filterFault } from './filter-fault.ts';
import { databaseError, type Sql } from './postgres.ts';

/** Which part of a list, and how far to count. */
export interface PageRequest {
  readonly offset: number;
  /** 0 counts only. */
  readonly limit: number;
  /** Counts up to this many rows (`allow_partial_count`); exactly where absent. */
  readonly countAtMost?: number | undefined;
}

export interface Page {
  readonly count: number;
  /** True where there are more rows than `countAtMost`. */
  readonly partial: boolean;
  /** JSON text of each row, newest first. */
  readonly results: readonly string[];
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
 * One page and the count in one statement. Rows of one moment (a pushed set) are in the order of their ids, so that
 * pages neither repeat nor lose one. Only the page's ids are sorted; rows are fetched and written afterwards. Planned
 * anew each time: one text serves an organisation of ten tasks and one of ten million.
 */
export async function readPage(
  sql: Sql,
  source: PageSource,
  conditions: Conditions,
  request: PageRequest,
): Promise<Page> {
  const selected = `FROM ${source.from}${conditions.where()}`;
  const bound = request.countAtMost === undefined ? '' : ` LIMIT ${conditions.bind(request.countAtMost + 1)}`;
  const window = `LIMIT ${conditions.bind(request.limit)} OFFSET ${conditions.bind(request.offset)}`;
  const text = `
    WITH page AS MATERIALIZED (
      SELECT ${source.id} AS id, ${source.createdAt} AS created_at ${selected}
      ORDER BY ${source.createdAt} DESC, ${source.id} DESC ${window}
    ),
    counted AS MATERIALIZED (SELECT count(*)::float8 AS count FROM (SELECT 1 ${selected}${bound}) AS matching)
    SELECT counted.count, written.json
    FROM counted LEFT JOIN (
      SELECT page.id, page.created_at, ${source.json}(entry) AS json
      FROM page JOIN ${source.table} AS entry ON entry.id = page.id
    ) AS written ON true
    ORDER BY written.created_at DESC, written.id DESC`;
  const rows = await runFiltered<{ count: number; json: string | null }>(sql, text, conditions.values);
  const counted = rows[0]!.count;
  const partial = request.countAtMost !== undefined && counted > request.countAtMost;
  return {
    count: partial ? request.countAtMost : counted,
    partial,
    results: rows.flatMap(({ json }) => (json === null ? [] : [json])),
  };
}

/** @throws RotaError INVALID_FILTER where a filter's value is to blame. */
async function runFiltered<Row extends object>(
  sql: Sql,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  try {
    return await sql.unsafe<Row[]>(text, values as never[], { prepare: false });
  } catch (error) {
    throw databaseError(filterFault(error));
  }
}
