import { type Executor, query, statement } from '../../postgres/pool.ts';

/** What a push says of the task that the decision was based on: NewTask.follows. */
export interface Decided {
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
