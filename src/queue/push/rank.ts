import { codeOf, isOfItem, RotaError } from '../../errors.ts';
import type { Failure } from '../../mailbox/failure.ts';
import type { NewTask } from '../../protocol/requests.ts';
import { time } from '../../time-and-chance.ts';

/**
 * What the queue needs from a ranker (the pool of src/ranking): the pop order of tasks without a priority of their own.
 * Lower goes first.
 */
export interface TaskRanking {
  policyOf(scheduler: string): RankPolicy;
  /** Never rejects: a ranker that throws or hangs is a refusal. */
  rank(scheduler: string, tasks: readonly RankedTask[]): Promise<RankAnswer>;
}

/** Every ranker that there is, beside those that schedulers have. */
export interface RankerChoice {
  /** Sorted. */
  names(): readonly string[];
  ownOf(scheduler: string): string;
  /** @throws RotaError RANK_FAILED, MAILBOX_FULL; BAD_CONFIG for a ranker there is not */
  rankBy(
    ranker: string,
    tasks: readonly RankedTask[],
  ): Promise<{ readonly fair: boolean; readonly ranks: ArrayLike<number> }>;
}

export interface RankPolicy {
  /** Its answers are costs, by which the queue deals ranks out: docs/queue-semantics.md, "Fair share". */
  readonly fair: boolean;
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

export type RankAnswer =
  | {
      /** Whole numbers within ±2^53, one per task: ranks, or costs. */
      readonly ranks: ArrayLike<number>;
    }
  | { readonly failure: Failure };

/** A ranker that threw or hung names the batch, and once it is halved one task; too many batches that wait name none. */
export function notRanked(failure: Failure): RotaError {
  return new RotaError(isOfItem(failure) ? 'RANK_FAILED' : codeOf(failure), failure.message);
}

/** What of a task that is pushed decides its rank: its own priority, where it has one, and is not ranked fairly. */
interface Ranked {
  readonly priority: number | undefined;
  readonly features: RankedTask;
}

/** The priority that a push keeps; undefined: its task is ranked. */
export function keptPriority({ priority }: NewTask, { manualOnly }: RankPolicy): number | undefined {
  return manualOnly && priority !== 1 ? undefined : priority;
}

/** What a ranker gets of a task that is pushed. */
export function rankedTask({ organisation, lastRunAt, occurredAt, priority }: NewTask): RankedTask {
  return {
    organisation,
    lastRunAt: lastRunAt ?? null,
    occurredAt: occurredAt ?? null,
    manual: priority === 1,
  };
}

/** The rank of each task, or what it costs. @throws RotaError RANK_FAILED */
export async function scoresOf(
  ranking: TaskRanking,
  scheduler: string,
  tasks: readonly Ranked[],
): Promise<readonly number[]> {
  const { fair } = ranking.policyOf(scheduler);
  const asked = fair ? tasks : tasks.filter(({ priority }) => priority === undefined);
  if (asked.length === 0) return tasks.map(({ priority }) => priority!);
  const features = asked.map((task) => task.features);
  const answer = await ranking.rank(scheduler, features);
  if ('failure' in answer) throw notRanked(answer.failure);
  const ranks = Array.from(answer.ranks).values();
  return tasks.map(({ priority }) => (fair || priority === undefined ? ranks.next().value! : priority));
}

/** mula's order of boefje tasks: first come, first served, in epoch seconds. Used by a queue that is given no ranking. */
export const rankByArrival: TaskRanking = {
  policyOf: () => ({ fair: false, manualOnly: false }),
  rank: async (_scheduler, tasks) => ({
    ranks: tasks.map((task) => (task.manual ? 1 : Math.floor(time.wallMs() / 1_000))),
  }),
};
