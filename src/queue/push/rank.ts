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
  /** '' where it has none. */
  readonly image: string;
  /** Epoch milliseconds; now where absent. */
  readonly createdAt?: number;
  /** Epoch milliseconds; null where not known. */
  readonly lastRunAt: number | null;
  readonly occurredAt: number | null;
  /** Pushed with priority 1. */
  readonly manual: boolean;
}

export interface Fairness {
  /** The last rank that is queued of each flow (the tasks of one organisation and image), by `flowOf`; absent where nothing is. */
  readonly lasts: ReadonlyMap<string, number>;
  /** By organisation; absent: 1. */
  readonly weights: ReadonlyMap<string, number>;
  /** By image: the greatest rank ever dispatched. docs/queue-semantics.md, "Fair share". */
  readonly virtualTimes: ReadonlyMap<string, number>;
}

/** The key of a flow: tasks of one organisation and image. No text in Postgres has a NUL, so no two flows have one key. */
export function flowOf({ organisation, image }: Pick<RankedTask, 'organisation' | 'image'>): string {
  return `${organisation}\0${image}`;
}

export type RankAnswer =
  | {
      /** Whole numbers within ±2^53, one per task. */
      readonly ranks: ArrayLike<number>;
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
  readonly weight: number;
}

interface Look {
  readonly lasts: string;
  readonly virtual_times: string;
  readonly queued: readonly string[];
  readonly places: number | null;
}

/** A rank of an image: its virtual time. */
export interface VirtualTime {
  readonly image: string;
  readonly rank: number;
}

/**
 * Locks these tasks' organisations, so that several supervisors agree, and reads where their next tasks begin; says which hashes are
 * queued already, and for how many more tasks there is room.
 *
 * @param unsaved virtual times of this supervisor that may not be stored yet
 */
export async function readFairness(
  transaction: Executor,
  scheduler: string,
  tasks: readonly { readonly organisation: string; readonly hash: string; readonly image: string | null }[],
  { maxSize, unsaved }: { readonly maxSize: number; readonly unsaved: readonly VirtualTime[] },
): Promise<{ fairness: Fairness; queued: ReadonlySet<string>; places: number }> {
  const organisations = [...new Set(tasks.map((task) => task.organisation))].sort();
  const hashes = tasks.map((task) => task.hash);
  const flows = new Map(
    tasks.map(({ organisation, image }) => [
      flowOf({ organisation, image: image ?? '' }),
      { organisation, image: image ?? '' },
    ]),
  );
  // The look is sent before the organisations are locked, and takes its snapshot afterwards: saves a round trip.
  const [states, [look]] = await Promise.all([
    query<FairnessState>(transaction, statement('push/fairness-lock'), [scheduler, organisations]),
    query<Look>(transaction, statement('push/fairness-look'), [
      scheduler,
      hashes,
      maxSize,
      JSON.stringify([...flows.values()]),
      JSON.stringify(unsaved),
    ]),
  ]);
  const lasts = JSON.parse(look!.lasts) as readonly (VirtualTime & { readonly organisation: string })[];
  const virtualTimes = JSON.parse(look!.virtual_times) as readonly VirtualTime[];
  return {
    fairness: {
      lasts: new Map(lasts.map((last) => [flowOf(last), last.rank])),
      weights: new Map(states.map((state) => [state.organisation, state.weight])),
      virtualTimes: new Map(virtualTimes.map(({ image, rank }) => [image, rank])),
    },
    queued: new Set(look!.queued),
    places: look!.places ?? Number.POSITIVE_INFINITY,
  };
}
