import type { z } from 'zod';
import type { Requester } from '../queue/batching.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { App } from './app.ts';
import { answerOf, badRequest, conflict, invalid, tooManyRequests, type ValidationDetail } from './errors.ts';
import { requesterOf } from './departure.ts';
import { sendJson } from './pagination.ts';
import type { SchedulerEntry } from './ports.ts';
import { isObject, uuid } from './scalars.ts';
import { errorAnswer, invalidAnswer, releaseKeys, schedulerPath, taskAnswer, taskPush } from './schemas.ts';

const malformed = () => badRequest('malformed item');
const notQueued = () => conflict('queue is not allowed to push items');

/**
 * `POST /schedulers/{id}/push`: a new task, or the whole Task that a runner gives back (docs/queue-semantics.md). Only its
 * extra keys tell the latter, which mula refuses: so the body's faults are looked at here.
 */
export function pushRoute(app: App, queue: TaskQueue, find: (id: string) => SchedulerEntry): void {
  app.post(
    '/schedulers/:scheduler_id/push',
    {
      attachValidation: true,
      schema: {
        summary: 'Queue a task, or give one back',
        params: schedulerPath,
        body: taskPush,
        response: {
          201: taskAnswer,
          400: errorAnswer,
          404: errorAnswer,
          409: errorAnswer,
          422: invalidAnswer,
          429: errorAnswer,
        },
      },
    },
    async (request, reply) => {
      const { faults, body } = request;
      const released = faults.length === 0 ? null : releasedId(faults, body);
      if (faults.length > 0 && released === null) throw invalid(faults);
      const scheduler = find(request.params.scheduler_id);
      if (body.scheduler_id !== undefined && body.scheduler_id !== null && body.scheduler_id !== scheduler.id) {
        throw badRequest('scheduler_id in item does not match the scheduler_id in the path');
      }
      const task =
        released === null
          ? await push(queue, scheduler, body, requesterOf(reply))
          : await release(queue, scheduler, released, faults);
      return sendJson(reply.code(201), task);
    },
  );
}

async function push(
  queue: TaskQueue,
  scheduler: SchedulerEntry,
  item: z.output<typeof taskPush>,
  requester: Requester,
): Promise<string> {
  if (item.priority === undefined || item.priority === null || item.priority === 0) throw malformed();
  const pushed = [
    {
      ...(item.id === undefined || item.id === null ? {} : { id: item.id }),
      organisation: item.organisation,
      priority: item.priority,
      data: item.data,
    },
  ];
  const [outcome] = await queue.push(scheduler.id, pushed, { answersTasks: true, ...requester });
  if (outcome?.outcome === 'queued' && outcome.task !== undefined) return outcome.task;
  if (outcome?.outcome === 'refused' && outcome.reason === 'queue-full') throw tooManyRequests();
  if (outcome?.outcome === 'failed') {
    throw outcome.failure.code === 'BAD_REQUEST' ? malformed() : answerOf(outcome.failure);
  }
  throw notQueued();
}

/** The pushed `data` is dropped: a runner that gives a task back has put secrets into it (kat-contract §2). */
async function release(
  queue: TaskQueue,
  scheduler: SchedulerEntry,
  id: string,
  faults: readonly ValidationDetail[],
): Promise<string> {
  const released = await queue.release(scheduler.id, id);
  if (released.outcome === 'released') return released.task;
  if (released.outcome === 'conflict') throw conflict(`task ${id} is finished, or not claimed over REST`);
  throw invalid(faults);
}

const isReleaseKey: ReadonlySet<unknown> = new Set(releaseKeys);

/** The task's id where the body is a whole Task: nothing is wrong with it but the keys that a push does not have. */
function releasedId(faults: readonly ValidationDetail[], body: unknown): string | null {
  const whole = faults.every(
    ({ type, loc }) => type === 'extra_forbidden' && loc.length === 2 && isReleaseKey.has(loc[1]),
  );
  if (!whole || !isObject(body)) return null;
  const id = uuid(body['id']);
  return id.ok ? id.value : null;
}
