import { type Executor, query, statement } from '../../postgres/pool.ts';
import type { Fairness } from './rank.ts';

interface State {
  readonly organisation: string;
  readonly tag: string;
  readonly weight: number;
}

interface Look {
  readonly virtual_time: string;
  readonly queued: readonly string[];
  readonly places: number | null;
}

/**
 * Locks and reads the tags of these tasks' organisations; says which hashes are queued already, and for how many more tasks
 * there is room.
 */
export async function readFairness(
  transaction: Executor,
  scheduler: string,
  tasks: readonly { readonly organisation: string; readonly hash: string }[],
  maxSize: number,
): Promise<{ fairness: Fairness; queued: ReadonlySet<string>; places: number }> {
  const organisations = [...new Set(tasks.map((task) => task.organisation))].sort();
  const hashes = tasks.map((task) => task.hash);
  // The look is on its way before the tags are locked, and takes its snapshot after: one way to Postgres less.
  const [states, [look]] = await Promise.all([
    query<State>(transaction, statement('push/fairness-lock'), [scheduler, organisations]),
    query<Look>(transaction, statement('push/fairness-look'), [scheduler, hashes, maxSize]),
  ]);
  return {
    fairness: {
      tags: new Map(
        states.filter((state) => Number(state.tag) > 0).map((state) => [state.organisation, Number(state.tag)]),
      ),
      weights: new Map(states.map((state) => [state.organisation, state.weight])),
      virtualTime: Number(look!.virtual_time),
    },
    queued: new Set(look!.queued),
    places: look!.places ?? Number.POSITIVE_INFINITY,
  };
}

export async function saveTags(
  transaction: Executor,
  scheduler: string,
  tags: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = [...tags].map(([organisation, tag]) => ({ organisation, tag }));
  await query(transaction, statement('push/fairness-save'), [scheduler, JSON.stringify(rows)]);
}
