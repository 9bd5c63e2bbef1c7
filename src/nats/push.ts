import { RotaError, type ErrorCode } from '../errors.ts';
import { FailureError } from '../mailbox/failure.ts';
import type { NewTask, PushOutcome } from '../protocol/requests.ts';
import type { TaskQueue } from '../queue/queue.ts';
import { taskTypeOf } from '../tasks/data.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import { errorBody, errorItem, errorOf, type SetItem, namedItem, setText, taskItem, taskText } from './replies.ts';
import { pushSetBody, taskBody } from './requests.ts';
import { check } from '../tasks/limits.ts';

export interface SchedulerRef {
  readonly id: string;
  /** Task type (src/tasks/data.ts). */
  readonly type: string;
}

/** A client repeats a push whose answer was lost: only REST answers a known id with 409, as mula does. */
const asked = { answersTasks: true, answersRepeats: true } as const;

/** One task, or `{tasks: […]}` with a result per task. @returns the reply as JSON text. */
export async function push(
  queue: TaskQueue,
  scheduler: SchedulerRef,
  body: unknown,
  maxPayload: number,
): Promise<string> {
  return isSet(body)
    ? setAnswer(pushSet(queue, scheduler, body, maxPayload), maxPayload)
    : taskAnswer(queue.push(scheduler.id, [newTask(scheduler, body, '')], asked), maxPayload);
}

async function taskAnswer(pushed: Promise<readonly PushOutcome[]>, maxPayload: number): Promise<string> {
  const [outcome] = await pushed;
  if (outcome === undefined) throw new RotaError('BROKEN', 'the queue gave no outcome');
  if (outcome.outcome === 'failed') throw new FailureError(outcome.failure);
  if (outcome.outcome === 'refused') throw new RotaError(refusalCode(outcome.reason), refusalText(outcome));
  if (outcome.task === undefined) throw new RotaError('BROKEN', 'the queue did not answer the task');
  return taskText(outcome.task, maxPayload);
}

async function setAnswer({ results, places, outcomes }: PushedSet, maxPayload: number): Promise<string> {
  for (const [index, outcome] of (await outcomes).entries()) results[places[index]!] = resultOf(outcome);
  return setText(results, maxPayload);
}

interface PushedSet {
  /** Of the tasks that are refused here. */
  readonly results: SetItem[];
  /** Of the others in the set, and what becomes of them. */
  readonly places: readonly number[];
  readonly outcomes: Promise<readonly PushOutcome[]>;
}

/** Waits for nothing: while the tasks are pushed no function holds their data, which the queue has as text. */
function pushSet(queue: TaskQueue, scheduler: SchedulerRef, body: unknown, maxPayload: number): PushedSet {
  const { tasks, brief } = check(pushSetBody, body);
  const results: SetItem[] = Array.from({ length: tasks.length });
  const places: number[] = [];
  const accepted: NewTask[] = [];
  for (const [at, task] of tasks.entries()) {
    try {
      accepted.push(newTask(scheduler, task, `tasks.${at}`));
      places.push(at);
    } catch (error) {
      results[at] = errorItem(errorOf(error));
    }
  }
  const outcomes =
    accepted.length === 0
      ? Promise.resolve([])
      : queue.push(scheduler.id, accepted, { ...asked, answersTasks: !brief, room: maxPayload });
  return { results, places, outcomes };
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
  if (outcome.outcome === 'queued') {
    const { id, status = 'queued', task } = outcome;
    return task === undefined ? namedItem(id, status) : taskItem(task, id, status);
  }
  if (outcome.outcome === 'failed') return errorItem(errorOf(outcome.failure));
  return errorItem(errorBody(refusalCode(outcome.reason), refusalText(outcome)));
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
