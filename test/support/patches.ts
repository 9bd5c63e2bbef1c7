import type { ClaimedTask, PatchOutcome, TaskPatch } from '../../src/queue/queue.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import type { Task } from '../../src/tasks/task.ts';
import { boefjeTask, popRequest } from './queue.ts';

/** A task that is claimed, and patches of it as they come over NATS and over REST. */

export async function claimOne(
  queue: RunningTaskQueue,
  via: 'nats' | 'rest' = 'nats',
  ooi = 'ooi',
): Promise<ClaimedTask> {
  await queue.push('boefje', [boefjeTask(ooi, { priority: 2 })]);
  const [claimed] = await queue.pop('boefje', popRequest({ via }));
  return claimed!;
}

export const byNats = (task: ClaimedTask, status: TaskPatch['status']): TaskPatch => ({
  id: task.id,
  via: 'nats',
  leaseId: task.leaseId,
  ...(status === undefined ? {} : { status }),
});
export const byRest = (id: string, patch: Partial<TaskPatch>): TaskPatch => ({
  id,
  via: 'rest',
  leaseId: null,
  ...patch,
});

export const code = (outcome: PatchOutcome | undefined) => (outcome?.ok === false ? outcome.failure.code : 'done');
export const taskOf = (outcome: PatchOutcome | undefined) => JSON.parse((outcome as { task: string }).task) as Task;
