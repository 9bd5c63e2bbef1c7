import { type Executor, query, statement } from '../../postgres/pool.ts';
import type { AllVirtualTimes } from '../pop/marks.ts';
import type { RanksOf } from '../settle/settle.ts';
import { Deal, type Flow, notRanked, type TaskRanking } from './rank.ts';

interface Requeued extends Flow {
  readonly id: string;
  readonly scheduler: string;
  readonly created_ms: number;
}

/** Ranks tasks that are queued again as if they were pushed now, where ranks are virtual times. */
export function ranksOfRequeued(ranking: TaskRanking, virtualTimes: AllVirtualTimes): RanksOf {
  return async (transaction: Executor, ids: readonly string[], which: 'finished' | 'expired') => {
    if (ids.length === 0) return new Map();
    const found = await query<Requeued>(transaction, statement('settle/requeue-look'), [ids, which === 'finished']);
    const ranks = new Map<string, number>();
    // In one order, as organisations are locked by all.
    const schedulers = [...Map.groupBy(found, ({ scheduler }) => scheduler)].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [scheduler, tasks] of schedulers) {
      if (!ranking.policyOf(scheduler).fair) continue;
      const features = tasks.map(({ organisation, created_ms: createdAt, manual }) => {
        return { organisation, createdAt, lastRunAt: null, occurredAt: createdAt, manual };
      });
      const answer = await ranking.rank(scheduler, features);
      if ('failure' in answer) throw notRanked(answer.failure);
      const deal = new Deal(scheduler, 'queued');
      await deal.start(transaction, tasks, virtualTimes.of(scheduler).unsaved());
      for (const [at, task] of tasks.entries()) ranks.set(task.id, deal.next(task, answer.ranks[at]!));
    }
    return ranks;
  };
}
