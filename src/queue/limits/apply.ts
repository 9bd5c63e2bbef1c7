import { type Executor, query, queryByKey, type Sql, statement, transact } from '../../postgres/pool.ts';
import { concerns, keyOf, type LimitedTask } from './limit.ts';
import { changing, type Limit, type LimitsView, readLimits, versionOf } from './view.ts';
import { time } from '../../time-and-chance.ts';

/** Rows of one statement: some 50 ms during which claims step over them. */
const perBatch = 1_000;
/** A row that is being claimed or changed is looked at again soon, so often at most: then the next walk finds it. */
const tries = 20;
const againMs = 25;
/** Of a limit that has other numbers: some 100 ms. */
const revisitedKeys = 1_000;
const revisitedRows = 1_000;

export interface Found extends LimitedTask {
  readonly id: string;
  readonly hash: string;
}

interface Stretch {
  readonly concerned: readonly Found[];
  readonly rank: string | null;
  readonly created_at: string;
  readonly id: string;
}

interface Running extends LimitedTask {
  readonly id: string;
  readonly lease_id: string;
  readonly keys: readonly string[];
}

interface Parked {
  /** Rows that may be popped, by scheduler. */
  readonly freed: Readonly<Record<string, number>>;
  /** Being claimed or changed, or gone. */
  readonly skipped: number;
}

const noId = '00000000-0000-0000-0000-000000000000';
const beginning = { rank: '-9223372036854775808', created_at: '-infinity', id: noId };

/**
 * Parks rows at their keys, or lets those go that nothing concerns. `held`: whether they are rows that are held, or such as may be popped.
 * Within `changing`.
 */
export async function park(
  locked: Executor,
  limits: readonly Limit[],
  rows: readonly Found[],
  held: boolean,
): Promise<Parked> {
  const active = limits.filter(({ removed }) => !removed);
  const fallbacks = new Map<string, number>();
  const found = rows.map((task) => {
    const keys = active
      .filter((limit) => concerns(limit, task))
      .map((limit) => {
        const { key, fellBack } = keyOf(limit, task);
        if (fellBack) fallbacks.set(limit.name, (fallbacks.get(limit.name) ?? 0) + 1);
        return key;
      });
    return { id: task.id, hash: task.hash, scheduler: task.scheduler, keys };
  });
  const values = [JSON.stringify(found), versionOf(limits), held];
  const [parked] = await query<Parked>(locked, statement('limits/resolve'), values);
  if (fallbacks.size > 0)
    await query(locked, statement('limits/fallbacks'), [[...fallbacks.keys()], [...fallbacks.values()]]);
  return parked!;
}

/**
 * Parks what was queued before a limit was set, from the head of each queue on: faster than workers claim. Then counts what was claimed
 * meanwhile, and before. Walks again until no statement of before the change can be under way any more.
 *
 * @param onChanged called after each batch that parked some, and when the limit may admit
 */
export async function applyLimits(
  sql: Sql,
  { limits, now }: LimitsView,
  schedulerIds: readonly string[],
  signal: AbortSignal,
  onChanged: () => void,
): Promise<void> {
  for (const limit of limits.filter(({ isApplying }) => isApplying)) {
    for (const id of limit.scheduler === null ? schedulerIds : [limit.scheduler])
      await hold(sql, limit, id, signal, onChanged);
    if (limit.concurrency !== null) await countRunning(sql, limit, signal);
    if (signal.aborted) return;
    await changing(sql, async (locked) => {
      await query(locked, statement('limits/applied'), [limit.name, limit.version, now]);
    });
    onChanged();
  }
}

async function hold(
  sql: Sql,
  { name }: Limit,
  scheduler: string,
  signal: AbortSignal,
  onChanged: () => void,
): Promise<void> {
  let from: Pick<Stretch, 'rank' | 'created_at' | 'id'> = beginning;
  let left = tries;
  while (from.rank !== null && !signal.aborted) {
    const { rank, created_at: at, id } = from;
    const [row] = await queryByKey<Stretch>(sql, statement('limits/apply'), [name, perBatch, rank, at, id, scheduler]);
    const { concerned } = row!;
    // By the limits as they are now: others may have been set since the walk began.
    const work = async (locked: Executor) => park(locked, (await readLimits(locked)).limits, concerned, false);
    const skipped = concerned.length === 0 ? 0 : (await changing(sql, work)).skipped;
    if (concerned.length > skipped) onChanged();
    if (skipped > 0 && left > 0) {
      left -= 1;
      await time.sleep(againMs);
    } else {
      left = tries;
      from = row!;
    }
  }
}

async function countRunning(sql: Sql, limit: Limit, signal: AbortSignal): Promise<void> {
  let after = noId;
  let left = tries;
  for (;;) {
    const rows = await queryByKey<Running>(sql, statement('limits/running'), [after, perBatch]);
    const found = rows.flatMap((task) => {
      const key = concerns(limit, task) ? keyOf(limit, task).key : null;
      return key === null || task.keys.includes(key) ? [] : [{ id: task.id, lease_id: task.lease_id, key }];
    });
    if (signal.aborted) return;
    if (found.length > 0 && left > 0) {
      await transact(() => query(sql, statement('limits/count'), [JSON.stringify(found)]));
      left -= 1;
      // Again, from the same place on: until none of them lacks the key.
      if (left < tries - 1) await time.sleep(againMs);
      continue;
    }
    left = tries;
    if (rows.length < perBatch) return;
    after = rows.at(-1)!.id;
  }
}

/** Makes the keys of a limit due that has other numbers. Within `changing`. @returns whether there are more */
export async function revisit(locked: Executor, name: string): Promise<boolean> {
  const values = [name, revisitedKeys, revisitedRows];
  const [row] = await query<{ is_left: boolean }>(locked, statement('limits/revisit'), values);
  return row!.is_left;
}
