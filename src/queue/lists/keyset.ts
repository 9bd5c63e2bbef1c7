import { query, queryByKey, type Sql, pageMs, statement } from '../../postgres/pool.ts';
import { Conditions, entriesOf, listFailed, type PageSource } from './page.ts';
import { time } from '../../time-and-chance.ts';

/** Where a part of a list ends: the next one begins after it. */
export interface Key {
  /** ISO, UTC, microseconds; null for a row without a moment, which come last. */
  readonly at: string | null;
  readonly id: string;
}

/** Which part of a list. */
export interface KeysetBounds {
  /** Null: from the first row on. */
  readonly after: Key | null;
  /** 0 counts only. */
  readonly limit: number;
}

export interface KeysetPage {
  /** Of all that match; of a search, of the rows that this part looked at. */
  readonly count: number;
  /** There may be more: no more were counted. */
  readonly countIsLeast: boolean;
  /** A JSON array as text. */
  readonly results: string;
  /** Where the next part begins; null at the end. A search may end a part without a row, with more to look at. */
  readonly next: string | null;
  /** Rows of the index that a search looked at; null where the index knows what matches. */
  readonly lookedAt: number | null;
}

/** SELECTs id, at and matches; the conditions bind its values. */
type Rows = (conditions: Conditions, rows: number) => string;

/** How a list is read. */
export interface KeysetSource extends Pick<PageSource, 'table' | 'json'> {
  readonly newestFirst: boolean;
  /**
   * At most so many rows after `after` by an index; in the list's order, unless they are only counted. Of several ranges of the
   * index it reads as many of each.
   */
  readonly rows: (conditions: Conditions, rows: number, after: Key | null, ordered: boolean) => string;
  /** Of how many ranges of an index the list is put together. */
  readonly ranges: number;
  /** Whether a row must be looked at to know if it matches: the list is a search. */
  readonly looks: boolean;
  /** All rows that may match, in any order, where they may be few: then they are read whole. */
  readonly few: Rows | null;
}

/** Of a page: NATS carries 1 MB, and the other facts of 500 rows have room beside it. The page ends there, and the next part begins. */
const roomBytes = 700_000;

/** How much of a list is read. */
export interface ListSizes {
  /** Counting stops here. */
  readonly counted: number;
  /** So many rows are read whole and sorted. */
  readonly few: number;
  /** Rows that one statement of a search reads, at first and at most. Most pages are full after the first. */
  readonly window: { readonly least: number; readonly most: number };
  /** A search of one request ends after so many rows, or so long. */
  readonly search: { readonly rows: number; readonly ms: number };
}

/** At 1.6 million tasks: 10 000 counted in 4 ms, sorted in 10, windows of 20 000 in 40 to 80 ms each. */
const usual: ListSizes = {
  counted: 10_000,
  few: 10_000,
  window: { least: 2_000, most: 20_000 },
  search: { rows: 200_000, ms: 1_000 },
};

interface Window {
  readonly looked: number;
  readonly found: number;
  readonly last: string | null;
  readonly keys: readonly string[];
}

/**
 * One part of a list. No statement reads more than some 20 000 rows, if none matches too: rows are read in the order of an index, and
 * a search that finds little says how far it has come.
 * @throws RotaError LIST_TOO_SLOW
 */
export async function readKeysetPage(
  sql: Sql,
  source: KeysetSource,
  bounds: KeysetBounds,
  sizes = usual,
): Promise<KeysetPage> {
  try {
    const { keys, ...part } =
      (await readFew(sql, source, bounds, sizes)) ??
      (source.looks ? await searchRows(sql, source, bounds, sizes) : await listRows(sql, source, bounds, sizes));
    const { results, cutAt } = await rowsOf(sql, source, keys);
    return { ...part, next: cutAt === null ? part.next : keys[cutAt - 1]!, results };
  } catch (error) {
    throw listFailed(error);
  }
}

type Part = Omit<KeysetPage, 'results'> & { readonly keys: readonly string[] };

async function readFew(sql: Sql, source: KeysetSource, bounds: KeysetBounds, { few }: ListSizes): Promise<Part | null> {
  if (source.few === null) return null;
  const { limit } = bounds;
  const { looked, found, keys } = await read<Window>(sql, fewStatement(source, source.few, bounds, few + 1));
  if (looked > few) return null;
  return { count: found, countIsLeast: false, lookedAt: null, ...endOf(keys, limit, null) };
}

async function listRows(
  sql: Sql,
  source: KeysetSource,
  { after, limit }: KeysetBounds,
  { counted }: ListSizes,
): Promise<Part> {
  const { count } = await read<{ count: number }>(sql, countStatement(source, counted + 1));
  const { keys } = await read<Window>(sql, windowStatement(source, after, limit + 1, limit + 1));
  return {
    count: Math.min(count, counted),
    countIsLeast: count > counted,
    lookedAt: null,
    ...endOf(keys, limit, null),
  };
}

/** Window after window until the page is full, all is looked at, or a request has read enough. */
async function searchRows(
  sql: Sql,
  source: KeysetSource,
  { after, limit }: KeysetBounds,
  { window, search }: ListSizes,
): Promise<Part> {
  const until = time.monotonicMs() + search.ms;
  const keys: string[] = [];
  let [count, looked, from] = [0, 0, after];
  for (let size = Math.min(Math.max(window.least, 4 * limit), window.most); ; size = Math.min(4 * size, window.most)) {
    const rows = Math.max(1, Math.floor(size / source.ranges));
    const missing = limit === 0 ? 0 : limit + 1 - keys.length;
    const part = await read<Window>(sql, windowStatement(source, from, rows, missing));
    keys.push(...part.keys);
    count += part.found;
    looked += part.looked;
    const ended = part.looked < rows;
    const enough = looked >= search.rows || time.monotonicMs() > until;
    if (ended || enough || keys.length > limit) {
      const last = ended ? null : part.last;
      return { count, countIsLeast: after !== null || !ended, lookedAt: looked, ...endOf(keys, limit, last) };
    }
    from = keyOf(part.last!);
  }
}

/** @param last where the next part begins if this one is not full */
function endOf(keys: readonly string[], limit: number, last: string | null): Pick<Part, 'keys' | 'next'> {
  if (limit === 0) return { keys: [], next: last };
  return keys.length > limit ? { keys: keys.slice(0, limit), next: keys[limit - 1]! } : { keys, next: last };
}

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

async function read<Row extends object>(sql: Sql, { text, values }: Statement): Promise<Row> {
  return (await queryByKey<Row>(sql, text, values, { withinMs: 2 * pageMs, anew: true, bare: true }))[0]!;
}

export function windowStatement(source: KeysetSource, after: Key | null, rows: number, keys: number): Statement {
  const conditions = new Conditions(keys);
  return filled(source, conditions, source.rows(conditions, rows, after, true), 'true');
}

export function fewStatement(source: KeysetSource, few: Rows, { after, limit }: KeysetBounds, rows: number): Statement {
  const conditions = new Conditions(limit + 1);
  const text = few(conditions, rows);
  const beyond = after === null ? 'true' : `(at, id) ${source.newestFirst ? '<' : '>'} ${boundOf(conditions, after)}`;
  return filled(source, conditions, text, beyond);
}

export function countStatement(source: KeysetSource, rows: number): Statement {
  const conditions = new Conditions();
  const text = source.rows(conditions, rows, null, false);
  return { text: `SELECT count(*)::float8 AS count FROM (${text}) AS counted`, values: conditions.values };
}

function filled({ newestFirst }: KeysetSource, { values }: Conditions, rows: string, beyond: string): Statement {
  const [order, reverse] = newestFirst ? ['at DESC, id DESC', 'at, id'] : ['at, id', 'at DESC, id DESC'];
  const text = statement('lists/window')
    .replace('{rows}', () => rows)
    .replace('{beyond}', () => beyond)
    .replaceAll('{order}', order)
    .replaceAll('{reverse}', reverse);
  return { text, values };
}

async function rowsOf(
  sql: Sql,
  source: KeysetSource,
  keys: readonly string[],
): Promise<{ results: string; cutAt: number | null }> {
  const text = statement('lists/rows-of-page')
    .replace('{entries}', () => entriesOf(source, roomBytes))
    .replaceAll('{room}', String(roomBytes));
  const ids = keys.map((key) => keyOf(key).id);
  const [page] = await query<{ results: string; cutAt: number | null }>(sql, text, [ids], { withinMs: 2 * pageMs });
  return page!;
}

/** A key as a row of SQL. */
export function boundOf(conditions: Conditions, { at, id }: Key): string {
  return `(${conditions.bind(at ?? 'infinity')}::text::timestamptz, ${conditions.bind(id)}::text::uuid)`;
}

export function keyOf(text: string): Key {
  const at = text.slice(0, -37);
  return { at: at === 'none' ? null : at, id: text.slice(-36) };
}

/** What a search of a list reads scheduler by scheduler: in each it is a range of an index. */
export async function schedulersOf(sql: Sql, table: KeysetSource['table']): Promise<readonly string[]> {
  const text = statement('lists/schedulers-of').replaceAll('{table}', table);
  const rows = await queryByKey<{ scheduler: string }>(sql, text, [], { withinMs: 2 * pageMs, anew: true });
  return rows.map(({ scheduler }) => scheduler);
}
