import { failureOf } from '../mailbox/failure.ts';
import type { RankAnswer, RankPolicy, TaskRanking } from '../queue/push/rank.ts';
import { batchOf } from './batch.ts';
import type { Ranking } from './pool.ts';
import type { RankerTraits } from './thread.ts';

interface TaskRankingOptions {
  readonly ranking: Ranking;
  /** Name of each scheduler's ranker. */
  readonly rankers: ReadonlyMap<string, string>;
  readonly gracePeriodSeconds: number;
  /** The database's time, in epoch milliseconds: tasks that several supervisors rank are in one order. */
  readonly now: () => number;
}

/**
 * The queue's view of the pool: which ranker a scheduler has, and its tasks as columns. Reads every ranker once, so that a
 * broken one stops the start.
 */
export async function createTaskRanking(options: TaskRankingOptions): Promise<TaskRanking> {
  const { ranking, rankers, gracePeriodSeconds } = options;
  const traits = new Map<string, RankerTraits>();
  for (const [scheduler, ranker] of rankers) traits.set(scheduler, await ranking.describe(ranker));
  return {
    policyOf(scheduler): RankPolicy {
      const known = traits.get(scheduler);
      return { stateful: known?.stateful ?? false, manualOnly: known?.explicitPriorities === 'manual-only' };
    },

    async rank(scheduler, tasks, fairness): Promise<RankAnswer> {
      try {
        const batch = batchOf(tasks, { now: options.now(), gracePeriodSeconds, fairness });
        const { ranks, tags } = await ranking.rank(rankers.get(scheduler) ?? 'created-at', batch);
        if (tags === undefined) return { ranks };
        return { ranks, tags: new Map(batch.organisations.map((organisation, at) => [organisation, tags[at]!])) };
      } catch (error) {
        return { failure: failureOf(error) };
      }
    },
  };
}
