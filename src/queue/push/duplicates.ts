import { type Executor, query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { PushOutcome } from '../../protocol/requests.ts';
import type { TaskStatus } from '../../tasks/task.ts';
import { priorityOf, type QueueItem } from './push-statement.ts';

interface Pushed {
  readonly row: QueueItem;
  readonly priority: number | undefined;
}

interface EarlierTask {
  readonly n: number;
  readonly status: TaskStatus;
  readonly schedule_id: string | null;
  readonly task: string;
}

/**
 * The same outcomes, except for a repeated push, with the pusher's own id and the same content: it is answered with the task that
 * the first one made. Only refused pushes are looked up: a push that comes for the first time pays nothing.
 */
export async function withRepeats(
  sql: Sql,
  scheduler: string,
  items: readonly Pushed[],
  outcomes: readonly PushOutcome[],
  withTasks: boolean,
): Promise<readonly PushOutcome[]> {
  const refused = items.flatMap(({ row, priority }, n) =>
    row.own_id && mayBeThere(outcomes[n]!)
      ? [
          {
            n,
            id: row.id,
            organisation: row.organisation,
            data: JSON.parse(row.data) as unknown,
            ...(priority === undefined ? {} : { priority: priorityOf(priority) }),
          },
        ]
      : [],
  );
  if (refused.length === 0) return outcomes;
  const known = await transact(() =>
    query<EarlierTask>(sql, statement('push/push-repeats'), [scheduler, JSON.stringify(refused)]),
  );
  const repeats = new Map(known.map((row) => [row.n, row]));
  return outcomes.map((outcome, n): PushOutcome => {
    const found = repeats.get(n);
    if (found === undefined) return outcome;
    const { status, schedule_id: scheduleId, task } = found;
    return { outcome: 'queued', id: items[n]!.row.id, scheduleId, status, ...(withTasks ? { task } : {}) };
  });
}

/** Its id is taken, or its own task is the reason for the refusal: the queue is full, or its hash is queued. */
function mayBeThere(outcome: PushOutcome): boolean {
  return outcome.outcome === 'refused' || (outcome.outcome === 'failed' && outcome.failure.code === 'CONFLICT');
}

/** What a push says of the task that the decision was based on: NewTask.follows. */
interface Decided {
  readonly hash: string;
  /** Undefined where a person asked and no actor decided. */
  readonly follows: string | null | undefined;
}

/**
 * The items whose hash has a newer task than the one that they follow. Two actors that see the same mutation, of two
 * supervisors or on two lanes of one, both decide to push; the task of the first may be handed out before the second pushes
 * its own, and the queue would then accept that one too. Under the lock they go one after the other, and the second sees the task
 * of the first.
 */
export async function overtakenOf<Item extends Decided>(
  transaction: Executor,
  scheduler: string,
  items: readonly Item[],
): Promise<ReadonlySet<Item>> {
  const decided = items.filter(({ follows }) => follows !== undefined);
  const hashes = [...new Set(decided.map(({ hash }) => hash))];
  // The look is sent before the lock is granted, and takes its snapshot afterwards: saves a round trip.
  const [, rows] = await Promise.all([
    query(transaction, statement('push/push-lock'), [scheduler]),
    query<{ hash: string; id: string }>(transaction, statement('push/latest-tasks'), [scheduler, hashes]),
  ]);
  const latest = new Map(rows.map(({ hash, id }) => [hash, id]));
  return new Set(decided.filter(({ hash, follows }) => (latest.get(hash) ?? null) !== follows));
}
