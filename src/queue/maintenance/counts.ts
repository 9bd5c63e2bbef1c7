import type { Client } from 'pg';
import { query, queryByKey, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { QueuePartView } from '../../protocol/operator-status.ts';
import { partsAtMost } from '../../tasks/limits.ts';
import { type QueuePart, type TaskStatus, taskStatuses } from '../../tasks/task.ts';
import { type BoundedCounts, countedAtLook, queueSizeOf, queueSizeStatement } from '../lists/queue-size.ts';

/** Any number will do, as long as every version of Rota uses the same one. */
const foldLockKey = 7_682_119;

export type StatusCounts = Readonly<Record<TaskStatus, number>>;

/** Tasks of any age by status, of each of `schedulers`. From the roll-up, a second old at most. */
export async function readTaskTotals(
  sql: Sql,
  schedulers: readonly string[],
): Promise<ReadonlyMap<string, StatusCounts>> {
  const rows = await transact(() =>
    query<{ scheduler: string; status: TaskStatus; count: number }>(sql, statement('maintenance/task-totals'), []),
  );
  const counted = (wanted: string) =>
    rows.filter(({ scheduler }) => scheduler === wanted).map(({ status, count }) => [status, count]);
  return new Map(schedulers.map((id) => [id, { ...none, ...Object.fromEntries(counted(id)) }]));
}

const none = Object.fromEntries(taskStatuses.map((status) => [status, 0])) as StatusCounts;

export interface QueuedOrganisation {
  readonly scheduler: string;
  /** Null: all but the largest, together. */
  readonly organisation: string | null;
  readonly queued: number;
}

/** Of each scheduler the `most` organisations that have the most queued tasks. From the roll-up, a second old at most. */
export async function readQueuedOrganisations(
  sql: Sql,
  schedulers: readonly string[],
  most: number,
): Promise<readonly QueuedOrganisation[]> {
  return transact(() =>
    query<QueuedOrganisation>(sql, statement('maintenance/queued-organisations'), [schedulers, most]),
  );
}

/** Seconds for which the task that each scheduler hands out next has waited; 0 where there is none. */
export async function readHeadWaits(sql: Sql, schedulers: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows = await transact(() =>
    query<{ scheduler: string; waited: number }>(sql, statement('maintenance/queue-heads'), [schedulers]),
  );
  return new Map(rows.map(({ scheduler, waited }) => [scheduler, waited]));
}

/** Tasks that pauses hold in each scheduler, counted to `countedAtLook`. */
export async function readHeld(sql: Sql, schedulers: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows = await transact(() =>
    query<{ scheduler: string; held: number }>(sql, statement('maintenance/queue-held'), [schedulers, countedAtLook]),
  );
  return new Map(rows.map(({ scheduler, held }) => [scheduler, held]));
}

/**
 * Rows of each part that are counted, held and not. Organisations have roll-ups, and need no more than tells whether all of one is held:
 * 20 000 index entries of 100 parts. Boefjes and images have none.
 */
const countedInPart = { organisation: 100, boefje: 1_000, image: 1_000 } as const;
const rateSeconds = 300;

interface PartRow extends Omit<BoundedCounts, 'total'> {
  readonly name: string;
  readonly total: number | null;
  readonly oldest_seconds: number | null;
  readonly per_second: number | null;
}

/** A scheduler's queue by what its tasks are of: the largest organisations, or the first boefjes or images by name. */
export async function readQueueBy(
  sql: Sql,
  scheduler: string,
  by: QueuePart,
  limit = partsAtMost,
): Promise<readonly QueuePartView[]> {
  const most = countedInPart[by];
  const text =
    by === 'organisation'
      ? queueSizeStatement('lists/queue-by-organisation')
      : queueSizeStatement('lists/queue-by-name').replaceAll('{column}', () => (by === 'boefje' ? 'plugin' : 'image'));
  const rows = await queryByKey<PartRow>(sql, text, [scheduler, limit, most, rateSeconds]);
  return rows.map(({ name, total, held, waiting, oldest_seconds, per_second }) => {
    const size = queueSizeOf({ total: total ?? 0, held, waiting }, most);
    const queued_is_least = total === null && (held >= most || waiting >= most);
    // Without a total the one that was not counted to its end has no other to follow from.
    const held_is_least = size.heldIsLeast || (total === null && held >= most);
    const known = total === null ? { queued: held + waiting, held } : { queued: size.queued, held: size.held };
    return { scheduler, name, ...known, queued_is_least, held_is_least, oldest_seconds, per_second };
  });
}

/** A runner keeps some popped tasks in a queue of its own: those that wait there for a quarter of their time are worth a look. */
const lateShare = 1 / 4;

/** Tasks of each scheduler that were popped over REST and not begun, for a quarter of the time in which they should. */
export async function readUnbegun(
  sql: Sql,
  schedulers: readonly string[],
  startWithinSeconds: number,
): Promise<ReadonlyMap<string, number>> {
  const rows = await transact(() =>
    query<{ scheduler: string; unbegun: number }>(sql, statement('maintenance/unbegun'), [
      schedulers,
      startWithinSeconds * lateShare,
      startWithinSeconds,
    ]),
  );
  return new Map(rows.map(({ scheduler, unbegun }) => [scheduler, unbegun]));
}

/** Folds the changes since the last time into the counts by hour, by status and by organisation. */
export async function foldCounts(sql: Sql): Promise<void> {
  await transact(() => query(sql, statement('maintenance/fold-counts'), [foldLockKey]));
}

/**
 * Counts all tasks anew where there are no counts: at adoption, and after the way back to mula. Readers and writers of tasks do
 * not wait for it; only folding does.
 */
export async function recountWhereEmpty(client: Client): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [foldLockKey]);
    if (await isEmpty(client, 'task_totals')) {
      await client.query('DELETE FROM task_counts');
      await client.query(statement('maintenance/recount'));
    }
    if (await isEmpty(client, 'queued_organisations')) await client.query(statement('maintenance/recount-queued'));
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

async function isEmpty(client: Client, table: 'task_totals' | 'queued_organisations'): Promise<boolean> {
  const { rowCount } = await client.query(`SELECT FROM ${table} LIMIT 1`);
  return rowCount === 0;
}

export interface StatsQuery {
  readonly schedulerId?: string;
  /** All where absent. */
  readonly organisations?: readonly string[];
}

/** `{"2025-05-27T09:00:00+00:00": {pending, …, total}}` as JSON text, newest hour first; hours without a change are absent. */
export async function readTaskStats(sql: Sql, { schedulerId, organisations }: StatsQuery): Promise<string> {
  const values = [schedulerId ?? null, organisations ?? null];
  return JSON.stringify(tally(await transact(() => query<StatsRow>(sql, statement('maintenance/task-stats'), values))));
}

interface StatsRow {
  readonly hour: string;
  readonly status: TaskStatus;
  readonly count: number;
}

type Counts = Record<TaskStatus | 'total', number>;

function tally(rows: readonly StatsRow[]): Record<string, Counts> {
  const hours: Record<string, Counts> = {};
  for (const { hour, status, count } of rows) {
    const counts = (hours[hour] ??= { ...noneOfHour });
    counts[status] = count;
    counts.total += count;
  }
  return hours;
}

const noneOfHour: Counts = { ...none, total: 0 };
