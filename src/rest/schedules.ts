import { z } from 'zod';
import type {
  ScheduleCreation,
  ScheduleListQuery,
  SchedulePatch,
  Schedules,
} from '../queue/schedules/schedule-crud.ts';
import { isCron, nextRun } from '../tasks/cron.ts';
import { taskTypeOf } from '../tasks/data.ts';
import { checkDataLengths } from '../tasks/limits.ts';
import type { App, Schedulers } from './app.ts';
import { badRequest, conflict, notFound, validationError } from './errors.ts';
import { checkGroups } from './filters.ts';
import { boundsOf, sendJson, sendPage } from './replies.ts';
import { defined } from './fields.ts';
import type { RequestAudit } from './access.ts';
import {
  errorAnswer,
  invalidAnswer,
  pageAnswer,
  requiredFilters,
  scheduleAnswer,
  scheduleCreate,
  schedulePatch,
  schedulePath,
  schedulesQuery,
  searchQuery,
} from './schemas.ts';

const defaultLimit = 10;
/** Two pages of Rocky send no limit, and mula's 10 cut them short (lessons §1). */
const defaultSearchLimit = 1_000;

interface ScheduleRoutes {
  readonly store: Omit<Schedules, 'search'>;
  readonly schedulers: Schedulers;
  readonly now: () => Date;
  readonly audit: RequestAudit;
}

/** `/schedules`: when tasks run again. */
export function scheduleRoutes(app: App, { store, schedulers, now, audit }: ScheduleRoutes): void {
  app.get(
    '/schedules',
    {
      schema: {
        summary: 'Schedules, newest first',
        querystring: schedulesQuery,
        response: { 200: pageAnswer, 400: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const asked = listQuery(request.query);
      return sendPage(request, reply, await store.list(asked), asked, request.query.allow_partial_count === true);
    },
  );

  app.post(
    '/schedules',
    {
      schema: {
        summary: 'Create a schedule',
        body: scheduleCreate,
        response: { 201: scheduleAnswer, 400: errorAnswer, 409: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const schedule = newSchedule(request.body, schedulers, now());
      const created = await store.create(schedule);
      if (created === null) throw conflict(`schedule with the same hash already exists: ${schedule.hash}`);
      audit(request, 'create-schedule', { schedule: schedule.hash });
      return sendJson(reply.code(201), created);
    },
  );

  app.get(
    '/schedules/:schedule_id',
    {
      schema: {
        summary: 'One schedule',
        params: schedulePath,
        response: { 200: scheduleAnswer, 404: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => sendJson(reply, await get(store, request.params.schedule_id)),
  );

  app.patch(
    '/schedules/:schedule_id',
    {
      schema: {
        summary: 'Change a schedule',
        params: schedulePath,
        body: schedulePatch,
        response: { 200: scheduleAnswer, 400: errorAnswer, 404: errorAnswer, 409: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const id = request.params.schedule_id;
      const patch = schedulePatchOf(request.body, now());
      if (patch === null || Object.keys(patch).length === 0) {
        await get(store, id);
        throw patch === null ? validationError('validation error') : badRequest('no data to patch');
      }
      if (patch.data !== undefined) {
        const { scheduler_id } = JSON.parse(await get(store, id)) as { scheduler_id: string };
        // Of a removed scheduler the type of its data is unknown.
        const scheduler = schedulers.find(scheduler_id);
        if (scheduler !== undefined) checkDataLengths(taskTypeOf(scheduler.type), patch.data);
      }
      const changed = await store.patch(id, patch);
      if (changed === null) throw unknownSchedule(id);
      audit(request, 'change-schedule', { schedule: id });
      return sendJson(reply, changed);
    },
  );

  app.delete(
    '/schedules/:schedule_id',
    {
      schema: {
        summary: 'Delete a schedule, or see that it is gone',
        params: schedulePath,
        response: { 204: z.null(), 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const id = request.params.schedule_id;
      if (await store.delete(id)) audit(request, 'delete-schedule', { schedule: id });
      return reply.code(204).type('application/json').send(null);
    },
  );

  app.post(
    '/schedules/search',
    {
      schema: {
        summary: 'Schedules that match filters, newest first',
        querystring: searchQuery,
        body: requiredFilters,
        response: { 200: pageAnswer, 400: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const asked = { ...boundsOf(request.query, defaultSearchLimit), filters: checkGroups(request.body) };
      return sendPage(request, reply, await store.list(asked), asked, request.query.allow_partial_count === true);
    },
  );
}

const unknownSchedule = (id: string) => notFound(`schedule not found, by schedule_id: ${id}`);

async function get(store: Pick<Schedules, 'get'>, id: string): Promise<string> {
  const schedule = await store.get(id);
  if (schedule === null) throw unknownSchedule(id);
  return schedule;
}

function listQuery(query: z.output<typeof schedulesQuery>): ScheduleListQuery {
  for (const what of ['created_at', 'deadline_at'] as const) {
    const [least, most] = [query[`min_${what}`], query[`max_${what}`]];
    if (least !== undefined && most !== undefined && least > most) {
      throw badRequest(`min_${what} must be less than max_${what}`);
    }
  }
  return {
    ...boundsOf(query, defaultLimit),
    filters: null,
    ...defined({
      schedulerId: query.scheduler_id,
      organisation: query.organisation,
      hash: query.schedule_hash,
      enabled: query.enabled,
      minDeadlineAt: query.min_deadline_at,
      maxDeadlineAt: query.max_deadline_at,
      minCreatedAt: query.min_created_at,
      maxCreatedAt: query.max_created_at,
    }),
  };
}

/**
 * @throws HttpError 400 in mula's words and order: a time, a cron that runs, a scheduler, data of its task type.
 * @throws RotaError INVALID_REQUEST for a text of the data that is too long
 */
function newSchedule(body: z.output<typeof scheduleCreate>, schedulers: Schedulers, now: Date): ScheduleCreation {
  const cron = body.schedule ?? null;
  if ((cron === null || cron === '') && (body.deadline_at ?? null) === null) {
    throw badRequest('Either deadline_at or schedule must be provided');
  }
  if (cron !== null && !isRestCron(cron, now)) throw validationError(invalidCron(cron));
  const scheduler = schedulers.find(body.scheduler_id);
  if (scheduler === undefined) throw badRequest(`Scheduler ${body.scheduler_id} not found`);
  const type = taskTypeOf(scheduler.type);
  checkDataLengths(type, body.data);
  const data = type.schema.safeParse(body.data);
  if (!data.success) {
    const faults = data.error.issues.map(({ path, message }) => `${path.join('.') || 'data'}: ${message}`);
    throw badRequest(`data is not that of a ${scheduler.type} task: ${faults.join('; ')}`);
  }
  return {
    schedulerId: scheduler.id,
    organisation: body.organisation,
    hash: type.hash(data.data),
    data: body.data,
    schedule: cron,
    deadlineAt: body.deadline_at ?? nextRun(cron!, now).toISOString(),
  };
}

/**
 * A new cron moves the deadline, unless the patch sets that itself (lessons §1); a cron taken away leaves it.
 * @returns null for a value that no schedule can have.
 */
function schedulePatchOf(body: z.output<typeof schedulePatch>, now: Date): SchedulePatch | null {
  const { hash, data, enabled, schedule, deadline_at: given } = body;
  if (hash === null || data === null || enabled === null) return null;
  if (typeof schedule === 'string' && !isRestCron(schedule, now)) return null;
  const moved = typeof schedule === 'string' && given === undefined ? nextRun(schedule, now).toISOString() : given;
  return defined({ hash, data, enabled, schedule, deadlineAt: moved }) as SchedulePatch;
}

/** mula's REST refuses a seventh field, a year, with 400. `rota schedules set-cron` takes one. */
function isRestCron(cron: string, now: Date): boolean {
  return isCron(cron, now) && cron.trim().split(/\s+/).length < 7;
}

/** pydantic's report, which clients show. */
function invalidCron(cron: string): string {
  return (
    '1 validation error for Schedule\nschedule\n' +
    `  Value error, Invalid cron expression: ${cron} [type=value_error, input_value=${pythonQuote(cron)}, input_type=str]\n` +
    '    For further information visit https://errors.pydantic.dev/2.10/v/value_error'
  );
}

function pythonQuote(text: string): string {
  return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
}
