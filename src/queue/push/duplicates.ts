import { type Executor, query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { PushOutcome } from '../../protocol/requests.ts';
import type { TaskStatus } from '../../tasks/status.ts';
import { priorityOf, type QueueItem } from './push-statement.ts';

interface Pushed {
  readonly row: QueueItem;
  readonly priority: number | undefined;
}

interface Known {
  readonly n: number;
  readonly status: TaskStatus;
  readonly schedule_id: string | null;
  readonly task: string;
}

/**
 * The same outcomes, but that a push which was made before, with an id of the pusher's and the same content, is answered with
 * the task that it made. Only what was refused is looked for: a push that comes for the first time pays nothing.
 */
export async function withRepeats(
  sql: Sql,
  scheduler: string,
  items: readonly Pushed[],
  outcomes: readonly PushOutcome[],
): Promise<readonly PushOutcome[]> {
  const refused = items.flatMap(({ row, priority }, n) =>
    row.own_id && mayBeThere(outcomes[n]!)
      ? [
          {
            n,
            id: row.id,
            organisation: row.organisation,
            data: row.data,
            ...(priority === undefined ? {} : { priority: priorityOf(priority) }),
          },
        ]
      : [],
  );
  if (refused.length === 0) return outcomes;
  const known = await transact(() =>
    query<Known>(sql, statement('push/push-repeats'), [scheduler, JSON.stringify(refused)]),
  );
  const repeats = new Map(known.map((row) => [row.n, row]));
  return outcomes.map((outcome, n): PushOutcome => {
    const found = repeats.get(n);
    if (found === undefined) return outcome;
    const { status, schedule_id: scheduleId, task } = found;
    return { outcome: 'queued', id: items[n]!.row.id, scheduleId, task, status };
  });
}

/** Its id is taken, or what it made stood in its own way: the queue is full with it, or its hash is queued. */
function mayBeThere(outcome: PushOutcome): boolean {
  return outcome.outcome === 'refused' || (outcome.outcome === 'failed' && outcome.failure.code === 'CONFLICT');
}

/** What a push says of the task that the decision was based on: NewTask.follows. */
interface Decided {
  readonly hash: string;
  /** Undefined: nobody decided, a person asked. */
  readonly follows: string | null | undefined;
}

/**
 * The items whose hash has a newer task than the one that they follow. Two actors that see the same mutation, of two
 * supervisors or on two lanes of one, both find that nothing stands in its way; the task of the first may be handed out
 * before the second pushes its own, which the queue would then take. One after the other under a lock, the second one
 * sees what the first did.
 */
export async function overtakenOf<Item extends Decided>(
  transaction: Executor,
  scheduler: string,
  items: readonly Item[],
): Promise<ReadonlySet<Item>> {
  const decided = items.filter(({ follows }) => follows !== undefined);
  const hashes = [...new Set(decided.map(({ hash }) => hash))];
  // The look is on its way before the lock is granted, and takes its snapshot after.
  const [, rows] = await Promise.all([
    query(transaction, statement('push/push-lock'), [scheduler]),
    query<{ hash: string; id: string }>(transaction, statement('push/latest-tasks'), [scheduler, hashes]),
  ]);
  const latest = new Map(rows.map(({ hash, id }) => [hash, id]));
  return new Set(decided.filter(({ hash, follows }) => (latest.get(hash) ?? null) !== follows));
}
