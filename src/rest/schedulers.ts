import { z } from 'zod';
import { FiltersInUse } from '../admission.ts';
import type { Requester } from '../queue/batching.ts';
import { distinctFilters, type FilterRequest } from '../queue/filter/filter.ts';
import type { SchedulerActivity } from '../queue/lists/lists.ts';
import type { PopRequest, TaskQueue } from '../queue/queue.ts';
import type { App, SchedulerEntry, Schedulers } from './app.ts';
import { budgets } from './budgets.ts';
import { answerOf, badRequest, conflict, invalid, notFound, tooManyRequests, type ValidationDetail } from './errors.ts';
import { isObject, uuid } from './fields.ts';
import { checkGroups } from './filters.ts';
import { disconnection, requesterOf, sendJson, whenAborted } from './replies.ts';
import { doerName, clientOfRequest } from './access.ts';
import {
  errorAnswer,
  invalidAnswer,
  optionalFilters,
  popQuery,
  releaseKeys,
  schedulerAnswer,
  schedulerPath,
  taskAnswer,
  taskPush,
  tasksAnswer,
} from './schemas.ts';

interface SchedulerRoutes {
  readonly queue: TaskQueue;
  readonly schedulers: Schedulers;
  /** The time in which an unmodified runner, which knows no leases, must begin; then it has the grace period. */
  readonly leaseMs: number;
  /** Aborted when the server closes: parked pops are answered with nothing. */
  readonly closing: AbortSignal;
}

/** `/schedulers`: what there is, and the pops and pushes of runners and Rocky. */
export function schedulerRoutes(app: App, { queue, schedulers, leaseMs, closing }: SchedulerRoutes): void {
  const filtersInUse = new FiltersInUse(
    { most: budgets.filtersOfClient, all: distinctFilters },
    // Not 429: mula's clients take it as a full queue.
    { code: 'MAILBOX_FULL', bound: 'one client of REST' },
  );
  app.get(
    '/schedulers',
    { schema: { summary: 'All schedulers', response: { 200: z.array(schedulerAnswer) } } },
    async (_request, reply) => {
      const entries = schedulers.all();
      const activity = await schedulers.activity(entries.map(({ id }) => id));
      return reply.send(entries.map((entry) => activityOf(entry, activity.get(entry.id))));
    },
  );

  app.get(
    '/schedulers/:scheduler_id',
    {
      schema: {
        summary: 'One scheduler',
        params: schedulerPath,
        response: { 200: schedulerAnswer, 404: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const entry = find(schedulers, request.params.scheduler_id);
      const activity = await schedulers.activity([entry.id]);
      return reply.send(activityOf(entry, activity.get(entry.id)));
    },
  );

  app.post(
    '/schedulers/:scheduler_id/pop',
    {
      schema: {
        summary: 'Hand out queued tasks; `wait` lets the answer wait for one',
        params: schedulerPath,
        querystring: popQuery,
        body: optionalFilters,
        response: { 200: tasksAnswer, 400: errorAnswer, 404: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const entry = find(schedulers, request.params.scheduler_id);
      const filters = checkGroups(request.body);
      const { limit, wait } = request.query;
      const gone = disconnection(reply);
      // A pop that does not wait is answered in milliseconds: closing does not abort it.
      const signal = wait === undefined ? gone : AbortSignal.any([gone, closing]);
      const holder = clientOfRequest(request);
      const asked = popRequest(entry, { limit, wait, filters, worker: request.ip, holder, signal }, leaseMs);
      const claim = () => queue.pop(entry.id, asked);
      const claimed = asked.limit === 0 ? [] : await withFilters(holder, filters, claim);
      // The client disconnected, or was refused as late: it would hold these tasks until their time to begin is over.
      if (reply.sent) await queue.giveBack(claimed);
      else whenAborted(gone, () => queue.giveBack(claimed));
      return sendJson(reply, `{"results":[${claimed.map(({ task }) => task).join(',')}]}`);
    },
  );

  function withFilters<T>(client: string, filters: FilterRequest | null, claim: () => Promise<T>): Promise<T> {
    if (filters === null) return claim();
    const leave = filtersInUse.enter(client, JSON.stringify(filters));
    return claim().finally(leave);
  }

  pushRoute(app, queue, (id) => find(schedulers, id));
}

function find(schedulers: Schedulers, id: string): SchedulerEntry {
  const entry = schedulers.find(id);
  if (entry === undefined) throw notFound(`Scheduler ${id} not found`);
  return entry;
}

function activityOf(entry: SchedulerEntry, activity: SchedulerActivity | undefined) {
  return {
    id: entry.id,
    type: entry.type,
    item_type: entry.itemType,
    qsize: activity?.queued ?? 0,
    last_activity: activity?.lastActivity ?? null,
  };
}

interface Asked {
  readonly limit: number | undefined;
  readonly wait: number | undefined;
  readonly filters: FilterRequest | null;
  readonly worker: string;
  readonly holder: string;
  readonly signal: AbortSignal;
}

/** Without a limit mula hands out the whole queue; one answer can hold a thousand tasks. */
const defaultLimit = 1_000;
const mostUnits = 10_000;

/**
 * Runners treat the answer to a boefje pop as one piece of work: it has one unit at any limit (lessons 0.5). Other schedulers
 * hand out up to `limit`; 0 and less is none.
 */
function popRequest(scheduler: SchedulerEntry, asked: Asked, leaseMs: number): PopRequest {
  const limit = Math.min(Math.max(asked.limit ?? defaultLimit, 0), mostUnits);
  return {
    limit: scheduler.type === 'boefje' ? 1 : limit,
    filters: asked.filters,
    waitMs: Math.round((asked.wait ?? 0) * 1_000),
    leaseMs,
    via: 'rest',
    worker: asked.worker,
    holder: asked.holder,
    signal: asked.signal,
  };
}

const malformed = () => badRequest('malformed item');
const notQueued = () => conflict('queue is not allowed to push items');

/**
 * `POST /schedulers/{id}/push`: a new task, or the whole Task that a runner gives back (docs/queue-semantics.md). Its extra keys,
 * which mula refuses, distinguish a Task: so this route looks at the faults of the body itself.
 */
function pushRoute(app: App, queue: TaskQueue, find: (id: string) => SchedulerEntry): void {
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
          : await release(queue, scheduler, { id: released, doer: doerName(request) }, faults);
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
  { id, doer }: { id: string; doer: string },
  faults: readonly ValidationDetail[],
): Promise<string> {
  const released = await queue.release(scheduler.id, id, doer);
  if (released.outcome === 'released') return released.task;
  if (released.outcome === 'conflict') throw conflict(`task ${id} is finished, or not claimed over REST`);
  throw invalid(faults);
}

const isReleaseKey: ReadonlySet<unknown> = new Set(releaseKeys);

/** The task's id where the body is a whole Task: its only faults are the keys that a push does not have. */
function releasedId(faults: readonly ValidationDetail[], body: unknown): string | null {
  const whole = faults.every(
    ({ type, loc }) => type === 'extra_forbidden' && loc.length === 2 && isReleaseKey.has(loc[1]),
  );
  if (!whole || !isObject(body)) return null;
  const id = uuid(body['id']);
  return id.ok ? id.value : null;
}
