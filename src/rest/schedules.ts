import { z } from 'zod';
import type { ScheduleListQuery, Schedules } from '../queue/schedules/schedule-crud.ts';
import { taskTypeOf } from '../tasks/data.ts';
import { checkDataLengths } from '../tasks/data-lengths.ts';
import type { App } from './app.ts';
import { badRequest, conflict, notFound, validationError } from './errors.ts';
import { checkGroups } from './filter-request.ts';
import { boundsOf, sendJson, sendPage } from './pagination.ts';
import type { Schedulers } from './ports.ts';
import { present } from './present.ts';
import type { Audit } from './security.ts';
import { newSchedule, schedulePatchOf } from './schedule-rules.ts';
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
/** mula's 10 cut two pages of Rocky short, which send no limit (lessons §1). */
const defaultSearchLimit = 1_000;

export interface ScheduleRoutes {
  readonly store: Schedules;
  readonly schedulers: Schedulers;
  readonly now: () => Date;
  readonly audit: Audit;
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
        // Of a scheduler that is gone nothing is known of what its data holds.
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

async function get(store: Schedules, id: string): Promise<string> {
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
    ...present({
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
