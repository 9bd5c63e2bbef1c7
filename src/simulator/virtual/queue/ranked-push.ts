import type { NewTask, PushOutcome } from '../../../protocol/requests.ts';
import type { TaskRanking } from '../../../queue/push/rank.ts';
import type { SimulatedQueue } from './simulated-queue.ts';

/** What src/queue/push does with a set before its statement: its tasks get ranks, or costs. */
export async function rankedPush(
  queue: SimulatedQueue,
  ranking: TaskRanking,
  scheduler: string,
  tasks: readonly NewTask[],
): Promise<readonly PushOutcome[]> {
  const { fair, manualOnly } = ranking.policyOf(scheduler);
  const features = tasks.map(({ organisation, lastRunAt = null, occurredAt = null, priority }) => {
    return { organisation, lastRunAt, occurredAt, manual: priority === 1 };
  });
  const answer = await ranking.rank(scheduler, features);
  if ('failure' in answer) return tasks.map(() => ({ outcome: 'refused', reason: 'rank-failed' }) as const);
  const isOwn = (task: NewTask) => !fair && task.priority !== undefined && (!manualOnly || task.priority === 1);
  const scores = Float64Array.from(tasks, (task, at) => (isOwn(task) ? task.priority! : answer.ranks[at]!));
  return queue.of(scheduler).push(tasks, scores);
}
