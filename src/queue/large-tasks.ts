import type { BoundedRow, ClaimRow } from './claim.ts';
import { query, type Sql, statement, transact } from './postgres.ts';

/** Of one claim. Its rows travel through this process whole: 255 tasks of 1.9 MB were 1.8 GB. */
const claimBytes = 8_388_608;
/** Read at once, as stored: compressed they may be ninety times as large. */
const readBytes = 131_072;

/**
 * A claim brings tasks of up to 4 kB, as stored, along (claim.sql): as large as KAT's are. Larger ones are read here, as many as
 * 8 MB hold, but one at least.
 * @returns `left`: claimed, and beyond that
 */
export async function withLargeTasks(
  sql: Sql,
  rows: readonly BoundedRow[],
): Promise<{ readonly whole: readonly ClaimRow[]; readonly left: readonly BoundedRow[] }> {
  if (rows.every(comesWhole)) return { whole: rows, left: [] };
  const texts = new Map<string, string>();
  let bytes = rows.reduce((sum, { task }) => sum + (task === null ? 0 : Buffer.byteLength(task)), 0);
  for (const ids of batches(rows.filter((row) => !comesWhole(row)))) {
    if (bytes >= claimBytes) break;
    for (const { id, task } of await read(sql, ids)) {
      const size = Buffer.byteLength(task);
      if (bytes > 0 && bytes + size > claimBytes) bytes = claimBytes;
      else {
        texts.set(id, task);
        bytes += size;
      }
    }
  }
  const known = rows.map((row) => ({ ...row, task: row.task ?? texts.get(row.id) ?? null }));
  return { whole: known.filter(comesWhole), left: known.filter((row) => !comesWhole(row)) };
}

function comesWhole<Row extends BoundedRow>(row: Row): row is Row & ClaimRow {
  return row.task !== null;
}

function* batches(rows: readonly BoundedRow[]): Generator<readonly string[]> {
  let ids: string[] = [];
  let bytes = 0;
  for (const { id, stored } of rows) {
    if (ids.length > 0 && bytes + stored > readBytes) {
      yield ids;
      [ids, bytes] = [[], 0];
    }
    ids.push(id);
    bytes += stored;
  }
  if (ids.length > 0) yield ids;
}

/** None where the database does not answer: they are claimed, and go back to the queue with the others that are left. */
async function read(sql: Sql, ids: readonly string[]): Promise<readonly { id: string; task: string }[]> {
  return transact(() => query<{ id: string; task: string }>(sql, statement('read'), [ids])).catch(() => []);
}
