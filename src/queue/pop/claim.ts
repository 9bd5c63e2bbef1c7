import { RotaError } from '../../errors.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { queryCanceled, sqlState } from '../../postgres/sql-states.ts';
import { emit } from '../../telemetry/events.ts';
import { type CompiledFilter, compileFilter } from '../filter/compile.ts';
import { filterFault, type FilterRequest } from '../filter/filter.ts';
import { roomBytes } from '../queue.ts';
import { time } from '../../time-and-chance.ts';

/** What one waiter wants from a claim. */
export interface Want {
  readonly units: number;
  readonly worker: string | null;
  /** PopRequest. */
  readonly holder: string | null;
  readonly via: 'nats' | 'rest';
  /** Over NATS it begins with `firstLeaseMs` at most, and has this once its holder has reported. */
  readonly leaseMs: number;
}

export interface ClaimRow {
  /** 1, 2, … in pop order. */
  readonly unit: number;
  readonly id: string;
  readonly organisation: string;
  readonly attempts: number;
  readonly lease_id: string;
  readonly lease_until: string;
  readonly task: string;
  /** Seconds since the task was made, at its first claim only: a later value would include a worker's time. */
  readonly waited: number | null;
  readonly traceparent: string | null;
  /** Its rank, its plug-in and its image ('' where it has none): marks.ts. */
  readonly rank: number;
  readonly plugin: string;
  readonly image: string;
}

/** A claimed row. A large task is null here: it is read separately, as far as there is room. */
export type RawRow = Omit<ClaimRow, 'task'> & { readonly task: string | null };

/**
 * How a claim finds its tasks: in pop order without a filter, along an index of the queue, or by looking into each task until
 * one matches. A search may take long: it has its own connections, bound and lane.
 */
export type Way = 'open' | 'indexed' | 'search';

export interface ClaimStatement {
  readonly way: Way;
  /** Of each image the task with the lowest rank is claimed first: only such claims tell how far an image is served. */
  readonly byRank: boolean;
  /** Images that the filter asks for; null where it rules none out. */
  readonly images: readonly string[] | null;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Pools of connections: `search` ends statements after `searchMs`. */
export interface ClaimPools {
  readonly sql: Sql;
  readonly search: Sql;
}

/** The longest time that a search may keep one of the two connections of all searches. */
export const searchMs = 2_000;

/**
 * Claims for several waiters in one statement: unit n belongs to the waiter whose slots cover n. Rows come in pop order.
 * @throws RotaError INVALID_FILTER, FILTER_TOO_SLOW, DATABASE_UNAVAILABLE
 */
export async function claim(
  { sql, search }: ClaimPools,
  { scheduler, firstLeaseMs }: { scheduler: string; firstLeaseMs: number },
  wants: readonly Want[],
  { way, byRank, images, text, values }: ClaimStatement,
): Promise<readonly RawRow[]> {
  const parameters = claimParameters(scheduler, wants, firstLeaseMs, values);
  const started = time.monotonicMs();
  const run = () => query<RawRow>(way === 'search' ? search : sql, text, parameters, { prepare: isPrepared(text) });
  const rows = await transact(way === 'open' ? run : () => run().catch((error: unknown) => throwFault(error, way)));
  emit({
    name: 'claim.completed',
    scheduler,
    waiters: wants.length,
    rows: rows.length,
    ms: time.monotonicMs() - started,
    waited: rows.flatMap(({ waited }) => waited ?? []),
    asked: images,
    filtered: way !== 'open',
    organisations: rows.map(({ organisation }) => organisation),
    plugins: rows.map(({ plugin }) => plugin),
    images: rows.map(({ image }) => image),
    ranks: byRank ? rows.map(({ rank }) => rank) : [],
  });
  return rows;
}

/** As claim.sql counts them. */
export function claimParameters(
  scheduler: string,
  wants: readonly Want[],
  firstLeaseMs: number,
  filterValues: readonly unknown[],
): readonly unknown[] {
  const slots = wants.flatMap((want) => Array.from({ length: want.units }, () => want));
  return [
    scheduler,
    slots.length,
    slots.map(({ worker }) => worker),
    slots.map(({ via }) => via),
    slots.map(({ leaseMs }) => leaseMs),
    slots.map(({ holder }) => holder),
    firstLeaseMs,
    ...filterValues,
  ];
}

function throwFault(error: unknown, way: Way): never {
  if (way === 'search' && sqlState(error) === queryCanceled) throw filterTooSlow();
  throw filterFault(error);
}

/** Also thrown without asking the database, for a filter that was too slow a moment ago. */
export function filterTooSlow(): RotaError {
  return new RotaError(
    'FILTER_TOO_SLOW',
    `no task was found within ${searchMs / 1_000} s: narrow the filter, by boefje__oci_image or organisation, or ask less often`,
  );
}

/**
 * A prepared text stays on both sides of every connection for good, and clients decide how many shapes of filters there are:
 * only the first hundred are prepared, which is more than a fleet of runners has.
 */
function isPrepared(text: string): boolean {
  if (prepared.size < mostPrepared) prepared.add(text);
  return prepared.has(text);
}

const mostPrepared = 100;
const prepared = new Set<string>();

/** claim.sql for one shape of filter. @throws RotaError INVALID_FILTER */
export function claimStatement(filters: FilterRequest | null, taskType: string): ClaimStatement {
  if (filters === null) return openClaim();
  const filter: CompiledFilter = compileFilter(filters, {
    target: 'queue',
    firstParameter: firstFilterValue,
    taskType,
  });
  const firstValue = firstFilterValue + filter.values.length;
  const ordered = filter.merge === undefined ? inPopOrder(filter.text) : merged(filter.merge, firstValue);
  const heads = statement('pop/claim-heads-filtered').replace('{ordered}', () => ordered);
  return {
    way: filter.indexed ? 'indexed' : 'search',
    byRank: filter.onlyImages,
    images: filter.images,
    text: claimText(heads, filter.text),
    values: [...filter.values, ...(filter.merge?.values ?? [])],
  };
}

/** Made once: 5 kB that each lone pop would put together, and the driver hash, anew. */
function openClaim(): ClaimStatement {
  const text = () => claimText(statement('pop/claim-heads'), 'true');
  return (open ??= { way: 'open', byRank: true, images: null, text: text(), values: [] });
}

let open: ClaimStatement | null = null;

function claimText(heads: string, filter: string): string {
  return statement('pop/claim')
    .replace('{heads}', () => heads)
    .replaceAll('{filter}', () => filter);
}

const firstFilterValue = 8;

/** As in claim-heads.sql: no row below the low-water mark may be popped. */
const aboveLowWaterMark = `(q.rank, q.created_at) >= (
    coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
    coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))`;

function inPopOrder(condition: string): string {
  return `(SELECT q.ctid AS spot, q.rank, q.created_at, q.id FROM queue q
    WHERE q.scheduler = $1 AND NOT q.held AND ${aboveLowWaterMark} AND ${condition}
    ORDER BY q.rank, q.created_at, q.id)`;
}

/**
 * One scan in pop order for each value, merged as far as the claim reads: an index on the column cannot give the rows of
 * two values in pop order, and sorting all of them would read the queue at every pop.
 */
function merged({ column, values }: NonNullable<CompiledFilter['merge']>, firstParameter: number): string {
  const scans = values.map((_value, index) => inPopOrder(`q.${column} = $${firstParameter + index}`));
  return `${scans.join(' UNION ALL ')} ORDER BY rank, created_at, id`;
}

export interface Fitted {
  readonly kept: readonly ClaimRow[];
  /** Rows beyond the room, in pop order: they go back to the queue. */
  readonly left: readonly RawRow[];
}

/** The rows, in pop order, that there is room for; the first at any size. @throws RotaError */
export async function fit(sql: Sql, rows: readonly RawRow[]): Promise<Fitted> {
  const large = rows.filter(({ task }) => task === null).map(({ id }) => id);
  const read = large.length === 0 ? none : await readWithin(sql, large, roomBytes);
  const kept: ClaimRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const task = row.task ?? read.get(row.id);
    if (task === undefined) break;
    const more = Buffer.byteLength(task);
    if (kept.length > 0 && bytes + more > roomBytes) break;
    bytes += more;
    kept.push({ ...row, task });
  }
  return { kept, left: rows.slice(kept.length) };
}

const none: ReadonlyMap<string, string> = new Map();

async function readWithin(sql: Sql, ids: readonly string[], bytes: number): Promise<ReadonlyMap<string, string>> {
  const rows = await transact(() =>
    query<{ id: string; task: string }>(sql, statement('pop/read-within'), [ids, bytes]),
  );
  return new Map(rows.map(({ id, task }) => [id, task]));
}
