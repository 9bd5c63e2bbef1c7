import { RotaError, codeOf } from '../errors.ts';
import { FailureError } from '../mailbox/failure.ts';
import type { PatchOutcome, TaskPatch, TaskQueue } from '../queue/queue.ts';
import { errorBody, errorItem, setText, taskItem } from './replies.ts';
import { check, getBody, heartbeatBody, patchBody, patchSetBody } from './requests.ts';

/** `task.get`, `task.patch` and `task.heartbeat`. Each answers JSON text. */

export async function getTask(queue: TaskQueue, body: unknown): Promise<string> {
  const { id } = check(getBody, body);
  const text = await queue.get(id);
  if (text === null) throw new RotaError('NOT_FOUND', `no task ${id}`);
  return text;
}

/** One patch answers the task, or fails; `{patches: […]}` answers a result per patch. */
export async function patchTasks(queue: TaskQueue, body: unknown, maxPayload: number): Promise<string> {
  if (!(typeof body === 'object' && body !== null && 'patches' in body)) {
    const [outcome] = await queue.patch([patchOf(check(patchBody, body))]);
    if (outcome === undefined) throw new RotaError('BROKEN', 'the queue gave no outcome');
    if (!outcome.ok) throw new FailureError(outcome.failure);
    return outcome.task;
  }
  const { patches } = check(patchSetBody, body);
  const outcomes = await queue.patch(patches.map(patchOf));
  const results = outcomes.map((outcome, at) => resultOf(outcome, patches[at]!));
  return setText(results, maxPayload);
}

export async function heartbeat(queue: TaskQueue, body: unknown, leaseMs: number): Promise<string> {
  const { leases, lease_ms } = check(heartbeatBody, body);
  const refs = leases.map((lease) => ({ id: lease.id, leaseId: lease.lease_id }));
  return JSON.stringify(await queue.heartbeat(refs, lease_ms ?? leaseMs));
}

function patchOf(patch: { id: string; status: TaskPatch['status'] & string; lease_id?: string | null | undefined }) {
  return { id: patch.id, via: 'nats', leaseId: patch.lease_id ?? null, status: patch.status } satisfies TaskPatch;
}

function resultOf(outcome: PatchOutcome, patch: { id: string; status: string }) {
  if (outcome.ok) return taskItem(outcome.task, patch.id, patch.status);
  return errorItem(errorBody(codeOf(outcome.failure), outcome.failure.message));
}
