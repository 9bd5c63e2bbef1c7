import { type Executor, query, statement } from '../../postgres/pool.ts';
import type { AllVirtualTimes } from '../pop/marks.ts';
import type { RanksOf } from '../settle/settle.ts';
import { notRanked, readFairness, type TaskRanking } from './rank.ts';

interface Finished {
  readonly id: string;
  readonly scheduler: string;
  readonly organisation: string;
  readonly image: string | null;
  readonly hash: string;
  readonly created_ms: number;
  readonly manual: boolean;
}

/** Ranks finished tasks that are queued again as if they were pushed now, where ranks are virtual times. */
export function ranksOfFinished(ranking: TaskRanking, virtualTimes: AllVirtualTimes): RanksOf {
  return async (transaction: Executor, ids: readonly string[]) => {
    const finished = await query<Finished>(transaction, statement('settle/requeue-look'), [ids]);
    const ranks = new Map<string, number>();
    // In one order, as organisations are locked by all.
    const schedulers = [...Map.groupBy(finished, ({ scheduler }) => scheduler)].toSorted(([a], [b]) =>
      a < b ? -1 : 1,
    );
    for (const [scheduler, tasks] of schedulers) {
      if (!ranking.policyOf(scheduler).stateful) continue;
      const times = virtualTimes.of(scheduler);
      const { fairness } = await readFairness(transaction, scheduler, tasks, { maxSize: 0, unsaved: times.unsaved() });
      times.raise([...fairness.virtualTimes].map(([image, rank]) => ({ image, rank })));
      const features = tasks.map(({ organisation, image, created_ms: createdAt, manual }) => {
        return { organisation, image: image ?? '', createdAt, lastRunAt: null, occurredAt: createdAt, manual };
      });
      const answer = await ranking.rank(scheduler, features, fairness);
      if ('failure' in answer) throw notRanked(answer.failure);
      for (const [at, { id }] of tasks.entries()) ranks.set(id, answer.ranks[at]!);
    }
    return ranks;
  };
}
