import { RotaError, type ErrorCode } from '../errors.ts';
import { FailureError } from '../mailbox/failure.ts';
import type { NewTask, PushOutcome } from '../protocol/requests.ts';
import type { TaskQueue } from '../queue/queue.ts';
import { taskTypeOf } from '../tasks/data.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import { errorBody, errorItem, errorOf, type SetItem, setText, taskItem, taskText } from './replies.ts';
import { pushSetBody, taskBody } from './requests.ts';
import { check } from '../tasks/limits.ts';

export interface SchedulerRef {
  readonly id: string;
  /** Task type (src/tasks/data.ts). */
  readonly type: string;
}

/** A client repeats a push whose answer was lost: only REST answers a known id with 409, as mula does. */
const answers = { answersTasks: true, answersRepeats: true } as const;

/** One task, or `{tasks: […]}` with a result per task. @returns the reply as JSON text. */
export async function push(
  queue: TaskQueue,
  scheduler: SchedulerRef,
  body: unknown,
  maxPayload: number,
): Promise<string> {
  if (!isSet(body)) {
    const [outcome] = await queue.push(scheduler.id, [newTask(scheduler, body, '')], answers);
    if (outcome === undefined) throw new RotaError('BROKEN', 'the queue gave no outcome');
    if (outcome.outcome === 'failed') throw new FailureError(outcome.failure);
    if (outcome.outcome === 'refused') throw new RotaError(refusalCode(outcome.reason), refusalText(outcome));
    return taskText(taskTextOf(outcome), maxPayload);
  }
  const { tasks } = check(pushSetBody, body);
  const results: SetItem[] = Array.from({ length: tasks.length });
  const accepted: { at: number; task: NewTask }[] = [];
  for (const [at, task] of tasks.entries()) {
    try {
      accepted.push({ at, task: newTask(scheduler, task, `tasks.${at}`) });
    } catch (error) {
      results[at] = errorItem(errorOf(error));
    }
  }
  if (accepted.length > 0) {
    const tasksToPush = accepted.map((entry) => entry.task);
    const outcomes = await queue.push(scheduler.id, tasksToPush, answers);
    for (const [index, { at }] of accepted.entries()) results[at] = resultOf(outcomes[index]!);
  }
  return setText(results, maxPayload);
}

function isSet(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'tasks' in body;
}

function newTask(scheduler: SchedulerRef, body: unknown, at: string): NewTask {
  const task = check(taskBody, body, at);
  if (task.scheduler_id !== undefined && task.scheduler_id !== scheduler.id) {
    const field = at === '' ? 'scheduler_id' : `${at}.scheduler_id`;
    throw new RotaError('INVALID_REQUEST', `${field}: expected ${scheduler.id}, as in the subject`);
  }
  const type = taskTypeOf(scheduler.type);
  const given = check(type.schema, task.data, at === '' ? 'data' : `${at}.data`);
  // Where data carries the id, one that only the task names is meant for both: without it the push could not be repeated.
  const carried = type.carriesId && task.id !== undefined && (given['id'] ?? null) === null;
  const data = carried ? { ...given, id: task.id } : given;
  return {
    ...(task.id === undefined ? {} : { id: task.id }),
    ...(task.priority === undefined ? {} : { priority: task.priority }),
    organisation: task.organisation,
    data,
    checked: true,
  };
}

function resultOf(outcome: PushOutcome): SetItem {
  if (outcome.outcome === 'queued') return taskItem(taskTextOf(outcome), outcome.id, outcome.status ?? 'queued');
  if (outcome.outcome === 'failed') return errorItem(errorOf(outcome.failure));
  return errorItem(errorBody(refusalCode(outcome.reason), refusalText(outcome)));
}

function taskTextOf(outcome: Extract<PushOutcome, { outcome: 'queued' }>): string {
  if (outcome.task === undefined) throw new RotaError('BROKEN', 'the queue did not answer the task');
  return outcome.task;
}

/** The error of a refusal; the other reasons are an actor's, and never come from a push. */
function refusalCode(reason: RefusalReason): ErrorCode {
  if (reason === 'queue-full') return 'QUEUE_FULL';
  if (reason === 'rank-failed') return 'RANK_FAILED';
  return 'CONFLICT';
}

function refusalText({ reason, detail }: Extract<PushOutcome, { outcome: 'refused' }>): string {
  if (reason === 'already-queued') return 'already-queued: a task with the same hash is queued';
  if (reason === 'queue-full') return 'queue-full: SCHEDULER_PQ_MAXSIZE is reached';
  if (reason === 'rank-failed') return `rank-failed: ${detail ?? 'the ranker failed'}`;
  return reason;
}
