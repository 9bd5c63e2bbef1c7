import type { ClaimRow, RawRow } from './claim.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';

/**
 * Bytes of a claim's tasks or of a page's rows, but for the one that goes beyond: a page of 290 tasks of 1.9 MB was 1.8 GB of
 * this process, since text is kept three times on its way. A thousand tasks of KAT are 2 MB.
 */
export const roomBytes = 8 * 1_024 * 1_024;

export interface Fitted {
  readonly kept: readonly ClaimRow[];
  /** Beyond the room, in pop order: they go back to the queue. */
  readonly left: readonly RawRow[];
}

/** As many of the rows, in pop order, as there is room for; the first at any size. @throws RotaError */
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
