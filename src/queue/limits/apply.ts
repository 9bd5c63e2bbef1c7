import { setTimeout as delay } from 'node:timers/promises';
import { query, queryByKey, type Sql, statement, transact, transaction } from '../../postgres/pool.ts';
import { concerns, keyOf, type LimitedTask } from './limit.ts';
import { type Limit, lockLimits, type LimitsView } from './view.ts';

/** Rows of one statement: some 10 ms during which claims step over them. */
const perBatch = 1_000;
/** A row that is being claimed or changed is looked at again soon, so often at most: then the next walk finds it. */
const tries = 20;
const againMs = 25;

interface Stretch {
  readonly held: number;
  readonly skipped: number;
  readonly rank: string | null;
  readonly created_at: string;
  readonly id: string;
}

interface Running extends LimitedTask {
  readonly id: string;
  readonly lease_id: string;
  readonly keys: readonly string[];
}

const noId = '00000000-0000-0000-0000-000000000000';
const beginning = { rank: '-9223372036854775808', created_at: '-infinity', id: noId };

/**
 * Holds what was queued before a limit was set, from the head of each queue on: faster than workers claim. Then counts what was claimed
 * meanwhile, and before. Walks again until no statement of before the change can be under way any more. Several supervisors share the
 * work: each steps over what another one has locked.
 *
 * @param onChanged called after each batch that held some, and when the limit may admit
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
    await countRunning(sql, limit, signal);
    if (signal.aborted) return;
    await transact(() =>
      transaction(sql, async (changing) => {
        await lockLimits(changing);
        const values = [limit.name, limit.version, now];
        const [row] = await query<{ is_first: boolean }>(changing, statement('limits/applied'), values);
        if (row?.is_first) await query(changing, statement('limits/touch'), [limit.name]);
      }),
    );
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
    const [row] = await transact(() =>
      queryByKey<Stretch>(sql, statement('limits/apply'), [name, perBatch, rank, at, id, scheduler]),
    );
    if (row!.held > 0) onChanged();
    if (row!.skipped > 0 && left > 0) {
      left -= 1;
      await delay(againMs);
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
      if (left < tries - 1) await delay(againMs);
      continue;
    }
    left = tries;
    if (rows.length < perBatch) return;
    after = rows.at(-1)!.id;
  }
}
