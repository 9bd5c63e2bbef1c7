import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { TaskListQuery, TaskLists } from '../queue/lists/lists.ts';
import type { TaskPatch, TaskQueue } from '../queue/queue.ts';
import { taskTypeOf } from '../tasks/data.ts';
import { checkDataLengths, mayHaveError } from '../tasks/limits.ts';
import { isFinished, type TaskStatus } from '../tasks/task.ts';
import type { App } from './app.ts';
import { doerName, type RequestAudit, forbidden, may } from './access.ts';
import { answerOf, badRequest, notFound } from './errors.ts';
import { checkGroups } from './filters.ts';
import { historyAnswer, requesterOf, boundsOf, sendJson, sendPage } from './replies.ts';
import {
  errorAnswer,
  invalidAnswer,
  optionalFilters,
  pageAnswer,
  startAnswer,
  statsAnswer,
  statsQuery,
  taskAnswer,
  taskPatch,
  taskPath,
  tasksQuery,
} from './schemas.ts';
import { defined, isObject } from './fields.ts';

const defaultLimit = 10;

interface TaskParts {
  readonly queue: TaskQueue;
  readonly lists: Pick<TaskLists, 'tasks' | 'stats'>;
  readonly inspection: Pick<QueueInspection, 'standing' | 'start'>;
  readonly audit: RequestAudit;
}

/** `/tasks`: lists, statistics, and the reports of runners; and when a task starts, which mula does not tell. */
export function taskRoutes(app: App, { queue, lists, inspection, audit }: TaskParts): void {
  app.route({
    method: ['POST', 'GET'],
    url: '/tasks',
    schema: {
      summary: 'Tasks, newest first',
      querystring: tasksQuery,
      body: optionalFilters,
      response: { 200: pageAnswer, 400: errorAnswer, 422: invalidAnswer },
    },
    handler: async (request, reply) => {
      const { query } = request;
      if (query.min_created_at !== undefined && query.max_created_at !== undefined) {
        if (query.min_created_at > query.max_created_at) {
          throw badRequest('min_created_at must be less than max_created_at');
        }
      }
      const asked = listQuery(query, checkGroups(request.body));
      return sendPage(request, reply, await lists.tasks(asked), asked, query.allow_partial_count === true);
    },
  });

  app.get(
    '/tasks/stats',
    {
      schema: {
        summary: 'Tasks by hour and status, last 24 hours',
        querystring: statsQuery,
        response: { 200: statsAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const { scheduler_id: schedulerId, organisation_id: one, organisation_ids: several = [] } = request.query;
      const organisations = one === undefined ? several : [...several, one];
      const asked = { ...defined({ schedulerId }), ...(organisations.length === 0 ? {} : { organisations }) };
      return sendJson(reply, await lists.stats(asked));
    },
  );

  app.get(
    '/tasks/:task_id',
    {
      schema: {
        summary: 'One task',
        params: taskPath,
        response: { 200: taskAnswer, 404: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => sendJson(reply, await get(queue, request.params.task_id)),
  );

  app.get(
    '/tasks/:task_id/start',
    {
      schema: {
        summary: 'When a queued task is handed out, by estimate',
        params: taskPath,
        response: { 200: startAnswer, 404: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const [task] = await inspection.standing([request.params.task_id]);
      if (task === undefined) throw unknownTask(request.params.task_id);
      return reply.send(await inspection.start(task));
    },
  );

  app.get(
    '/tasks/:task_id/history',
    {
      schema: {
        summary: 'Who ran it, when, and why it failed',
        params: taskPath,
        response: { 200: historyAnswer, 404: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const [task] = await inspection.standing([request.params.task_id]);
      if (task === undefined) throw unknownTask(request.params.task_id);
      const { status, reason, attempts, worker, claimed_at, started_at, ended_at, error, attempts_before, changed } =
        task;
      const attempt = { worker, claimed_at, started_at, ended_at, error };
      return reply.send({ status, reason, attempts, ...attempt, attempts_before: [...attempts_before], changed });
    },
  );

  app.patch(
    '/tasks/:task_id',
    {
      schema: {
        summary: 'Report a status, cancel, retry, change',
        params: taskPath,
        body: taskPatch,
        response: { 200: taskAnswer, 400: errorAnswer, 404: errorAnswer, 409: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const id = request.params.task_id;
      if (!may(request, 'operate')) await checkReport(request, queue, id, request.body);
      const patch = { ...(await readPatch(queue, id, request.body)), ...doerFor(request) };
      const [outcome] = await queue.patch([patch], { answersTasks: true, ...requesterOf(reply) });
      if (outcome?.ok !== true) {
        if (outcome === undefined || outcome.failure.code === 'NOT_FOUND') throw unknownTask(id);
        throw answerOf(outcome.failure);
      }
      if (patch.status === 'cancelled') audit(request, 'cancel', { task: id });
      if (patch.status === 'queued') audit(request, 'queue', { task: id });
      return sendJson(reply, outcome.task!);
    },
  );
}

const unknownTask = (id: string) => notFound(`task not found, by task_id: ${id}`);

/** Who cancels, retries or releases: a runner's report of its own work names its worker already. */
function doerFor(request: FastifyRequest<{ Body: z.output<typeof taskPatch> }>): Pick<TaskPatch, 'doer'> {
  const { status } = request.body;
  return status === 'cancelled' || status === 'queued' ? { doer: doerName(request) } : {};
}

async function get(queue: TaskQueue, id: string): Promise<string> {
  const task = await queue.get(id);
  if (task === null) throw unknownTask(id);
  return task;
}

function listQuery(query: z.output<typeof tasksQuery>, filters: TaskListQuery['filters']): TaskListQuery {
  return {
    ...boundsOf(query, defaultLimit),
    filters,
    ...defined({
      schedulerId: query.scheduler_id,
      organisation: query.organisation,
      taskType: query.task_type,
      status: query.status,
      minCreatedAt: query.min_created_at,
      maxCreatedAt: query.max_created_at,
      inputOoi: query.input_ooi,
      pluginId: query.plugin_id,
    }),
  };
}

const reports: ReadonlySet<unknown> = new Set(['running', 'completed', 'failed', 'queued']);
const handedOut: ReadonlySet<unknown> = new Set(['dispatched', 'running']);

/**
 * With the role `work` a runner may report on a task that was popped. To change or cancel a task, or to queue one that was not
 * popped or is finished, takes the role `operate`. It costs one read more, for holders of the role `work` only.
 */
async function checkReport(
  request: FastifyRequest,
  queue: TaskQueue,
  id: string,
  body: z.output<typeof taskPatch>,
): Promise<void> {
  const { status, priority, organisation, data } = body;
  const changesMore = [priority, organisation, data].some((value) => value !== undefined);
  if (changesMore || (status !== undefined && !reports.has(status))) {
    throw forbidden(request, 'anything of a task but running, completed, failed and queued', 'operate');
  }
  const { status: was } = JSON.parse(await get(queue, id)) as { status: TaskStatus };
  const isReport = handedOut.has(was) || (status !== 'queued' && isFinished(was));
  if (!isReport) throw forbidden(request, `a report on a task that is ${was}`, 'operate');
}

const changeable = ['status', 'priority', 'organisation', 'data'] as const;
/** A patch may repeat these (clients send whole tasks back) but not change them. */
const fixed = ['id', 'scheduler_id', 'schedule_id', 'type', 'hash'] as const;

async function readPatch(queue: TaskQueue, id: string, body: z.output<typeof taskPatch>): Promise<TaskPatch> {
  const given = Object.keys(body) as (keyof typeof body)[];
  const repeated = fixed.filter((key) => given.includes(key));
  if (given.length === 0 || repeated.length > 0 || isObject(body.data)) {
    const task = JSON.parse(await get(queue, id)) as Record<string, unknown>;
    if (given.length === 0) throw badRequest('no data to patch');
    const changed = repeated.find((key) => body[key] !== task[key]);
    if (changed !== undefined) throw badRequest(`${changed} of a task does not change`);
    if (isObject(body.data)) checkDataLengths(taskTypeOf(String(task['type'])), body.data);
  }
  const nothing = changeable.find((key) => body[key] === null);
  if (nothing !== undefined) throw badRequest(`${nothing} must not be null`);
  const { status, priority, organisation, data, error } = body;
  if (error != null && !mayHaveError(status))
    throw badRequest('error goes with the status failed, queued or cancelled');
  return {
    id,
    via: 'rest',
    leaseId: null,
    ...defined({ status, priority, organisation, data, error: error ?? undefined }),
  } as TaskPatch;
}
