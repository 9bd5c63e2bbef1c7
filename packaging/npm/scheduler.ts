/** `rota/scheduler`: what a scheduler or a ranker of one's own is written against (docs/extending.md). It loads no other package. */
export { attempt, attemptEach, type Failure, type Result } from '../../src/mailbox/failure.ts';
export type { Delivery, Message } from '../../src/mailbox/message.ts';
export type { RankBatch, RankerModule, Ranks } from '../../src/protocol/ranking.ts';
export type * from '../../src/protocol/requests.ts';
export type { Behavior, EventStream, Log, SchedulerDefinition, Setup } from '../../src/protocol/scheduler.ts';
export { clockOfDue, cronFault, isCron, nextRun } from '../../src/tasks/cron.ts';
export { type RefusalReason, unfinishedReason } from '../../src/tasks/refusal.ts';
