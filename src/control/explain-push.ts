import type { ExplanationStep } from '../protocol/explanation.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { TaskRanking } from '../queue/push/rank.ts';

export interface PushForecast {
  readonly inspection: Pick<QueueInspection, 'overview'>;
  readonly ranking: TaskRanking;
  /** SCHEDULER_PQ_MAXSIZE; 0 is unlimited. */
  readonly maxSize: number;
}

/** What the push itself may refuse, once the actor has decided for a task: room in the queue, and its ranker. */
export async function pushSteps(
  { inspection, ranking, maxSize }: PushForecast,
  scheduler: string,
  organisation: string,
): Promise<readonly ExplanationStep[]> {
  const [[overview], answer] = await Promise.all([
    inspection.overview([scheduler]),
    ranking.rank(
      scheduler,
      [{ organisation, lastRunAt: null, occurredAt: null, manual: false }],
      ranking.policyOf(scheduler).stateful ? { tags: new Map(), weights: new Map(), virtualTime: 0 } : null,
    ),
  ]);
  const queued = overview?.queued ?? 0;
  const full = maxSize > 0 && queued >= maxSize;
  return [
    {
      rule: 'room',
      outcome: full ? 'refuses' : 'passes',
      reason: full ? 'queue-full' : null,
      fact: `${queued} tasks are queued; ${maxSize === 0 ? 'there is no bound' : `${maxSize} may be, but for a person's`}`,
    },
    'failure' in answer
      ? { rule: 'rank', outcome: 'refuses', reason: 'rank-failed', fact: answer.failure.message }
      : { rule: 'rank', outcome: 'passes', reason: null, fact: 'its ranker answers' },
  ];
}
