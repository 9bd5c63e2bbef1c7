import type { PushOutcome } from '../../protocol/requests.ts';
import type { TaskStatus } from '../../tasks/status.ts';
import { type QueueItem, priorityOf } from './push-statement.ts';
import { type Sql, query, statement, transact } from '../../postgres/pool.ts';

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
