import { type Executor, query, statement } from './postgres.ts';
import type { Fairness } from './rank.ts';

interface State {
  readonly organisation: string;
  readonly tag: string;
  readonly weight: number;
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
  const states = await query<State>(transaction, statement('fairness-lock'), [scheduler, organisations]);
  const [look] = await query<{ virtual_time: string; queued: string[]; places: number | null }>(
    transaction,
    statement('fairness-look'),
    [scheduler, tasks.map((task) => task.hash), maxSize],
  );
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
  await query(transaction, statement('fairness-save'), [scheduler, JSON.stringify(rows)]);
}
