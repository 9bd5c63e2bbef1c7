import fairShare from '../../actors/rankers/fair-share.ts';
import type { TaskRanking } from '../../src/queue/push/rank.ts';
import { batchOf } from '../../src/ranking/batch.ts';

/** The fair-share ranker itself, in this thread, for every scheduler. */
export const fairRanking: TaskRanking = {
  policyOf: () => ({ fair: true, manualOnly: true }),
  rank: async (_scheduler, tasks) => fairShare(batchOf(tasks, { now: Date.now(), gracePeriodSeconds: 86_400 })),
};
