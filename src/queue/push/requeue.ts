import { type Executor, query, type Sql, statement, transaction } from '../../postgres/pool.ts';
import type { RanksOf } from '../settle/settle.ts';
import type { AllVirtualTimes } from '../pop/marks.ts';
import { type Flow, flowsOf, keyOfFlow, type VirtualTime } from './push-statement.ts';
import { notRanked, type TaskRanking } from './rank.ts';

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
    // In one order: each is locked until the end.
    const schedulers = [...Map.groupBy(found, ({ scheduler }) => scheduler)].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [scheduler, tasks] of schedulers) {
      if (!ranking.policyOf(scheduler).fair) continue;
      const features = tasks.map(({ organisation, created_ms: createdAt, manual }) => {
        return { organisation, createdAt, lastRunAt: null, occurredAt: createdAt, manual };
      });
      const answer = await ranking.rank(scheduler, features);
      if ('failure' in answer) {
        // No lease would end while a ranker fails: what it does not rank keeps the rank that it had.
        if (which === 'expired') continue;
        throw notRanked(answer.failure);
      }
      const deal = new Deal(scheduler, 'queued');
      await deal.start(transaction, tasks, virtualTimes.of(scheduler).unsaved());
      for (const [at, task] of tasks.entries()) ranks.set(task.id, deal.next(task, answer.ranks[at]!));
    }
    return ranks;
  };
}

/**
 * Deals ranks out where no push does (push-flows.sql is a push's): to tasks that are queued again, or ranked anew. Each
 * task of a flow follows the last one by its cost, divided by the weight of its organisation.
 */
export class Deal {
  readonly #scheduler: string;
  /** Behind what is queued of the flow, or as if nothing were. */
  readonly #behind: 'queued' | 'nothing';
  readonly #flows = new Map<string, { last: number; readonly weight: number }>();

  constructor(scheduler: string, behind: 'queued' | 'nothing') {
    this.#scheduler = scheduler;
    this.#behind = behind;
  }

  /**
   * Reads where flows begin, each once. Their scheduler is locked until the transaction ends.
   *
   * @param unsaved virtual times of this supervisor that may not be stored yet
   */
  async start(sql: Executor, flows: readonly Flow[], unsaved: readonly VirtualTime[]): Promise<void> {
    const unknown = flows.filter((flow) => !this.#flows.has(keyOfFlow(flow)));
    if (unknown.length === 0) return;
    const { flows: wanted } = flowsOf(unknown);
    const found = await query<{ n: number; virtual_time: number; starts: number; weight: number }>(
      sql,
      statement('push/flows'),
      [this.#scheduler, JSON.stringify(wanted), JSON.stringify(unsaved)],
    );
    for (const { n, virtual_time, starts, weight } of found) {
      this.#flows.set(keyOfFlow(wanted[n]!), { last: this.#behind === 'queued' ? starts : virtual_time, weight });
    }
  }

  /** The next rank of a flow that has begun. */
  next(flow: Flow, cost: number): number {
    const begun = this.#flows.get(keyOfFlow(flow))!;
    begun.last += costOf(cost, begun.weight);
    return begun.last;
  }
}

/** How far a task moves its flow. */
export function costOf(cost: number, weight: number): number {
  return Math.max(1, Math.min(1e9, Math.round(cost / weight)));
}

/** Those of images of which nothing is queued. In two statements: the second one sees what was pushed before the lock was had. */
export function forgetVirtualTimes(sql: Sql): Promise<void> {
  return transaction(sql, async (forgetting) => {
    await query(forgetting, statement('maintenance/lock-flows'), []);
    await query(forgetting, statement('maintenance/forget-virtual-times'), []);
  });
}
