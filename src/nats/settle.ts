import type { z } from 'zod';
import { RotaError, codeOf } from '../errors.ts';
import { FailureError } from '../mailbox/failure.ts';
import type { PatchOutcome, TaskPatch, TaskQueue } from '../queue/queue.ts';
import { errorBody, errorItem, namedItem, setText, type SetItem, taskText } from './replies.ts';
import { getBody, heartbeatBody, patchBody, patchSetBody } from './requests.ts';
import { check } from '../tasks/limits.ts';

/**
 * `task.get`, `task.patch` and `task.heartbeat`, for tasks that a worker holds. Each answers JSON text. Their callers are workers,
 * so each requires the lease of the task; operators have `ctl.task-details` and `ctl.change-tasks`.
 */

export async function getTask(queue: TaskQueue, body: unknown, maxPayload: number): Promise<string> {
  const { id, lease_id: lease } = check(getBody, body);
  const text = await queue.getHeld({ id, leaseId: leaseOf(id, lease) });
  if (text === null) throw new RotaError('NOT_FOUND', `no task ${id}`);
  return taskText(text, maxPayload);
}

/**
 * One patch answers the task, or fails; `{patches: […]}` answers `{id, status}` or an error per patch: a client that settles a set
 * has the tasks, and reading them again would be a third of the work.
 */
export async function patchTasks(queue: TaskQueue, body: unknown, maxPayload: number): Promise<string> {
  if (!(typeof body === 'object' && body !== null && 'patches' in body)) {
    const [outcome] = await queue.patch([patchOf(check(patchBody, body))], { answersTasks: true });
    if (outcome?.ok === false) throw new FailureError(outcome.failure);
    if (outcome?.task === undefined) throw new RotaError('BROKEN', 'the queue did not answer the task');
    return taskText(outcome.task, maxPayload);
  }
  return setText(await settleSet(queue, check(patchSetBody, body).patches), maxPayload);
}

/** One item a patch, in order. */
export async function settleSet(
  queue: TaskQueue,
  patches: readonly z.output<typeof patchBody>[],
): Promise<readonly SetItem[]> {
  const held = patches.filter(({ lease_id: lease }) => typeof lease === 'string');
  const outcomes = (await (held.length === 0 ? [] : queue.patch(held.map(patchOf)))).values();
  return patches.map((patch) =>
    typeof patch.lease_id === 'string'
      ? resultOf(outcomes.next().value!, patch)
      : errorItem(errorBody('LEASE_LOST', unnamed(patch.id))),
  );
}

/** Without `lease_ms` each lease keeps its length, or gets the one its pop asked for. */
export async function heartbeat(queue: TaskQueue, body: unknown, longestLeaseMs: number): Promise<string> {
  const { leases, lease_ms } = check(heartbeatBody, body);
  const refs = leases.map((lease) => ({ id: lease.id, leaseId: lease.lease_id }));
  return JSON.stringify(
    await queue.heartbeat(refs, lease_ms === undefined ? null : Math.min(lease_ms, longestLeaseMs)),
  );
}

function patchOf(patch: z.output<typeof patchBody>): TaskPatch {
  const leaseId = leaseOf(patch.id, patch.lease_id);
  const { id, status, error } = patch;
  return { id, via: 'nats', leaseId, status, ...(error == null ? {} : { error }) };
}

function leaseOf(id: string, lease: string | null | undefined): string {
  if (typeof lease !== 'string') throw new RotaError('LEASE_LOST', unnamed(id));
  return lease;
}

function unnamed(id: string): string {
  return `task ${id}: name the lease_id that it was handed out with; operators have ctl.task-details and ctl.change-tasks`;
}

function resultOf(outcome: PatchOutcome, { id, status }: { id: string; status: string }): SetItem {
  if (!outcome.ok) return errorItem(errorBody(codeOf(outcome.failure), outcome.failure.message));
  return namedItem(id, status);
}
