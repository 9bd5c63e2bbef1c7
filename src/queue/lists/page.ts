import { codeOf, RotaError } from '../../errors.ts';
import type { Conditions } from './conditions.ts';
import type { FilterRequest } from '../filter/filter.ts';
import { filterFault } from '../filter/filter-fault.ts';
import { query, type Sql } from '../../postgres/pool.ts';
import { roomBytes } from '../pop/room.ts';
import { databaseError, sqlState } from '../../postgres/sql-states.ts';

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
  /** The page was full after so many rows, and the next one begins there; null where all that was asked for had room. */
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

/** Milliseconds of a page at the server; so long it waits for a connection, too, and is given up then. */
export const pageMs = 5_000;

/** Connections for lists: only lists wait for a slow list, and only searches for a slow search. */
export interface PagePools {
  readonly plain: Sql;
  /** For lists that may look into every row: a filter, a part of an OOI. */
  readonly search: Sql;
}

/**
 * One page and the count in one statement. Rows of one moment are in the order of their ids, so that pages neither
 * repeat nor lose one. Only ids are sorted; the page's rows are fetched and written one by one afterwards, until it is full:
 * what is left out is never read. Planned anew each time: one text serves an organisation of ten tasks and one of ten million.
 * @throws RotaError INVALID_FILTER where a filter's value is to blame, LIST_TOO_SLOW
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
    WITH RECURSIVE page AS MATERIALIZED (
      SELECT ${source.id} AS id, ${source.createdAt} AS created_at ${selected}
      ORDER BY ${source.createdAt} DESC, ${source.id} DESC ${window}
    ),
    ids AS MATERIALIZED (SELECT array_agg(id ORDER BY created_at DESC, id DESC) AS list FROM page),
    entries (at, bytes, json) AS (
      SELECT 0, 0::bigint, NULL::text
      UNION ALL
      SELECT entries.at + 1, entries.bytes + coalesce(octet_length(entry.json), 0), entry.json
      FROM entries LEFT JOIN LATERAL (
        SELECT ${source.json}(stored) AS json FROM ${source.table} AS stored WHERE stored.id = (SELECT list FROM ids)[entries.at + 1] OFFSET 0
      ) AS entry ON true
      WHERE entries.bytes < ${roomBytes} AND entries.at < (SELECT coalesce(cardinality(list), 0) FROM ids)
    )
    SELECT
      (SELECT count(*)::float8 FROM (SELECT 1 ${counted}) AS matching) AS count,
      nullif(max(at), (SELECT coalesce(cardinality(list), 0) FROM ids)) AS "cutAt",
      concat('[', string_agg(json, ',' ORDER BY at), ']') AS results
    FROM entries`;
  try {
    const [row] = await query<{ count: number; cutAt: number | null; results: string }>(sql, text, conditions.values, {
      prepare: false,
      withinMs: 2 * pageMs,
    });
    return { count: row!.count, partial: row!.count > bound, results: row!.results, cutAt: row!.cutAt };
  } catch (error) {
    if (sqlState(error) === queryCanceled || codeOf(error) === 'DATABASE_UNAVAILABLE') throw tooSlow(error);
    throw databaseError(filterFault(error));
  }
}

function tooSlow(cause: unknown): RotaError {
  return new RotaError(
    'LIST_TOO_SLOW',
    `the list was not there within ${pageMs / 1_000} s: narrow it by scheduler_id, organisation, status or created_at, or ask later`,
    { cause },
  );
}

const queryCanceled = '57014';
