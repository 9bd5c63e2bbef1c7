import { RotaError, codeOf } from '../errors.ts';
import { FailureError } from '../mailbox/failure.ts';
import type { PatchOutcome, TaskPatch, TaskQueue } from '../queue/queue.ts';
import { errorBody, errorItem, setText, type SetItem, taskItem, taskText } from './replies.ts';
import { check, getBody, heartbeatBody, patchBody, patchSetBody } from './requests.ts';

/** `task.get`, `task.patch` and `task.heartbeat`. Each answers JSON text. */

export async function getTask(queue: TaskQueue, body: unknown, maxPayload: number): Promise<string> {
  const { id } = check(getBody, body);
  const text = await queue.get(id);
  if (text === null) throw new RotaError('NOT_FOUND', `no task ${id}`);
  return taskText(text, maxPayload);
}

/**
 * One patch answers the task, or fails; `{patches: […]}` answers `{id, status}` or an error per patch: whoever settles a set
 * had the tasks, and reading them again would be a third of the work.
 */
export async function patchTasks(queue: TaskQueue, body: unknown, maxPayload: number): Promise<string> {
  if (!(typeof body === 'object' && body !== null && 'patches' in body)) {
    const [outcome] = await queue.patch([patchOf(check(patchBody, body))], { answersTasks: true });
    if (outcome?.ok === false) throw new FailureError(outcome.failure);
    if (outcome?.task === undefined) throw new RotaError('BROKEN', 'the queue did not answer the task');
    return taskText(outcome.task, maxPayload);
  }
  const { patches } = check(patchSetBody, body);
  const outcomes = await queue.patch(patches.map(patchOf));
  return setText(
    outcomes.map((outcome, at) => resultOf(outcome, patches[at]!)),
    maxPayload,
  );
}

/** One that names no length keeps what its lease has, or what its pop asked for. */
export async function heartbeat(queue: TaskQueue, body: unknown, longestLeaseMs: number): Promise<string> {
  const { leases, lease_ms } = check(heartbeatBody, body);
  const refs = leases.map((lease) => ({ id: lease.id, leaseId: lease.lease_id }));
  return JSON.stringify(
    await queue.heartbeat(refs, lease_ms === undefined ? null : Math.min(lease_ms, longestLeaseMs)),
  );
}

function patchOf(patch: { id: string; status: TaskPatch['status'] & string; lease_id?: string | null | undefined }) {
  return { id: patch.id, via: 'nats', leaseId: patch.lease_id ?? null, status: patch.status } satisfies TaskPatch;
}

function resultOf(outcome: PatchOutcome, { id, status }: { id: string; status: string }): SetItem {
  if (!outcome.ok) return errorItem(errorBody(codeOf(outcome.failure), outcome.failure.message));
  return taskItem(JSON.stringify({ id, status }), id, status);
}
