import { failureOf } from '../mailbox/failure.ts';
import type { Fairness, RankAnswer, RankedTask, RankPolicy, TaskRanking } from '../queue/push/rank.ts';
import { batchOf } from './batch.ts';
import type { Ranking, RankerTraits } from './ranking.ts';

export interface TaskRankingOptions {
  readonly ranking: Ranking;
  /** Name of each scheduler's ranker. */
  readonly rankers: ReadonlyMap<string, string>;
  readonly gracePeriodSeconds: number;
  /** The database's time, in epoch milliseconds: tasks that several supervisors rank stand in one line. */
  readonly now: () => number;
}

/** The queue's view of the pool: which ranker a scheduler has, and its tasks as columns. Reads every ranker once, so that a broken one stops the start. */
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
      const now = options.now() / 1_000;
      try {
        const batch = batchOf(
          tasks.map((task) => featuresOf(task, now)),
          {
            now,
            gracePeriod: gracePeriodSeconds,
            virtualTime: fairness?.virtualTime ?? 0,
            ...(fairness === null ? {} : { fairness: fairnessOf(fairness) }),
          },
        );
        const { ranks, tags } = await ranking.rank(rankers.get(scheduler) ?? 'created-at', batch);
        if (tags === undefined) return { ranks };
        return { ranks, tags: new Map(batch.organisations.map((organisation, at) => [organisation, tags[at]!])) };
      } catch (error) {
        return { failure: failureOf(error) };
      }
    },
  };
}

function featuresOf(task: RankedTask, now: number) {
  return {
    createdAt: task.createdAt === undefined ? now : task.createdAt / 1_000,
    ...(task.lastRunAt === null ? {} : { lastRunAt: task.lastRunAt / 1_000 }),
    ...(task.occurredAt === null ? {} : { occurredAt: task.occurredAt / 1_000 }),
    manual: task.manual,
    organisation: task.organisation,
  };
}

function fairnessOf({ tags, weights }: Fairness): ReadonlyMap<string, { tag: number; weight: number }> {
  const organisations = new Set([...tags.keys(), ...weights.keys()]);
  return new Map(
    [...organisations].map((organisation) => [
      organisation,
      { tag: tags.get(organisation) ?? 0, weight: weights.get(organisation) ?? 1 },
    ]),
  );
}
