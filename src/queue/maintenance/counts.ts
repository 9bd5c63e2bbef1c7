import type { Client } from 'pg';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { type TaskStatus, taskStatuses } from '../../tasks/task.ts';

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

/** Rows of each kind, held and not, that one look at a queue counts at most: some milliseconds. */
export const countedAtLook = 10_000;

export interface BoundedCounts {
  /** By the roll-up, a second old at most. */
  readonly total: number;
  /** Counted now, no further than `countedAtLook`. */
  readonly held: number;
  readonly waiting: number;
}

export interface QueueSize {
  /** Held ones included. */
  readonly queued: number;
  /** Off the claim's path: paused. */
  readonly held: number;
  /** There may be more that are held: no more were counted. */
  readonly heldIsLeast: boolean;
  /** Null where it cannot be told how many of what is queued are held. */
  readonly waiting: number | null;
}

/** Where one kind is counted to its end, the other follows from the total. */
export function queueSizeOf({ total, held, waiting }: BoundedCounts): QueueSize {
  const [manyHeld, manyWait] = [held >= countedAtLook, waiting >= countedAtLook];
  const queued = manyHeld || manyWait ? Math.max(total, held + waiting) : held + waiting;
  if (manyHeld && manyWait) return { queued, held, heldIsLeast: true, waiting: null };
  if (manyHeld) return { queued, held: queued - waiting, heldIsLeast: false, waiting };
  return { queued, held, heldIsLeast: false, waiting: queued - held };
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
