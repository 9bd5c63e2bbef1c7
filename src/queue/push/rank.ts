import { codeOf, isOfItem, RotaError } from '../../errors.ts';
import type { Failure } from '../../mailbox/failure.ts';
import { type Executor, query, statement } from '../../postgres/pool.ts';

/**
 * What the queue needs from a ranker (the pool of src/ranking): the pop order of tasks without a priority of their own. Lower
 * goes first.
 */
export interface TaskRanking {
  policyOf(scheduler: string): RankPolicy;
  /** `fairness` is given to a stateful ranker only. Never rejects: a ranker that throws or hangs is a refusal. */
  rank(scheduler: string, tasks: readonly RankedTask[], fairness: Fairness | null): Promise<RankAnswer>;
}

export interface RankPolicy {
  /** Reads and moves tags: its sets are ranked inside the transaction of the push, and tags are locked meanwhile. */
  readonly stateful: boolean;
  /** Of pushed priorities only 1 is kept, others are ranked. */
  readonly manualOnly: boolean;
}

export interface RankedTask {
  readonly organisation: string;
  /** Epoch milliseconds; now where absent. */
  readonly createdAt?: number;
  /** Epoch milliseconds; null where not known. */
  readonly lastRunAt: number | null;
  readonly occurredAt: number | null;
  /** Pushed with priority 1. */
  readonly manual: boolean;
}

export interface Fairness {
  /** The last tag given in each organisation; absent where none was. */
  readonly tags: ReadonlyMap<string, number>;
  /** Absent: 1. */
  readonly weights: ReadonlyMap<string, number>;
  /** The rank at the head of the queue; of an empty queue the highest tag. */
  readonly virtualTime: number;
}

export type RankAnswer =
  | {
      /** Whole numbers within ±2^53, one per task. */
      readonly ranks: ArrayLike<number>;
      /** The new last tags, from a stateful ranker. */
      readonly tags?: ReadonlyMap<string, number>;
    }
  | { readonly failure: Failure };

/** A ranker that threw or hung names the batch, and once it is halved one task; too many batches that wait name none. */
export function notRanked(failure: Failure): RotaError {
  return new RotaError(isOfItem(failure) ? 'RANK_FAILED' : codeOf(failure), failure.message);
}

/** mula's order of boefje tasks: first come, first served, in epoch seconds. Used where no ranker is configured. */
export const rankByArrival: TaskRanking = {
  policyOf: () => ({ stateful: false, manualOnly: false }),
  rank: async (_scheduler, tasks) => ({
    ranks: tasks.map((task) => (task.manual ? 1 : Math.floor(Date.now() / 1_000))),
  }),
};

interface FairnessState {
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
  // The look is sent before the tags are locked, and takes its snapshot afterwards: saves a round trip.
  const [states, [look]] = await Promise.all([
    query<FairnessState>(transaction, statement('push/fairness-lock'), [scheduler, organisations]),
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
