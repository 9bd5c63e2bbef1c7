import type { NewTask, PushOutcome } from '../../../protocol/requests.ts';
import { keptPriority, rankedTask, scoresOf, type TaskRanking } from '../../../queue/push/rank.ts';
import type { SimulatedQueue } from './simulated-queue.ts';

/** What src/queue/push does with a set before its statement: its tasks get ranks, or costs. @throws RotaError RANK_FAILED */
export async function rankedPush(
  queue: SimulatedQueue,
  ranking: TaskRanking,
  scheduler: string,
  tasks: readonly NewTask[],
): Promise<readonly PushOutcome[]> {
  const policy = ranking.policyOf(scheduler);
  const ranked = tasks.map((task) => ({ priority: keptPriority(task, policy), features: rankedTask(task) }));
  return queue.of(scheduler).push(tasks, await scoresOf(ranking, scheduler, ranked));
}
