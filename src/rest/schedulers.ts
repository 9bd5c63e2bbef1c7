import { z } from 'zod';
import { FiltersInUse } from '../filters-in-use.ts';
import type { FilterRequest } from '../queue/filter/filter.ts';
import type { SchedulerActivity } from '../queue/lists/lists.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { App } from './app.ts';
import { budgets } from './budgets.ts';
import { notFound } from './errors.ts';
import { checkGroups } from './filter-request.ts';
import { sendJson } from './pagination.ts';
import { type PopSettings, popRequest } from './pop.ts';
import type { SchedulerEntry, Schedulers } from './ports.ts';
import { pushRoute } from './push.ts';
import {
  errorAnswer,
  invalidAnswer,
  optionalFilters,
  popQuery,
  schedulerAnswer,
  schedulerPath,
  tasksAnswer,
} from './schemas.ts';
import { departure, whenAborted } from './departure.ts';
import { clientOf } from './security.ts';

export interface SchedulerRoutes {
  readonly queue: TaskQueue;
  readonly schedulers: Schedulers;
  readonly pop: PopSettings;
  /** Aborted when the server closes: parked pops are answered with nothing. */
  readonly closing: AbortSignal;
}

/** `/schedulers`: what there is, and the pops and pushes of runners and Rocky. */
export function schedulerRoutes(app: App, { queue, schedulers, pop, closing }: SchedulerRoutes): void {
  const filtersInUse = new FiltersInUse(budgets.filtersOfClient, {
    // Not 429, which is a full queue to mula's clients.
    code: 'MAILBOX_FULL',
    bound: 'one client of REST',
  });
  app.get(
    '/schedulers',
    { schema: { summary: 'All schedulers', response: { 200: z.array(schedulerAnswer) } } },
    async (_request, reply) => {
      const entries = schedulers.all();
      const activity = await schedulers.activity(entries.map(({ id }) => id));
      return reply.send(entries.map((entry) => present(entry, activity.get(entry.id))));
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
      return reply.send(present(entry, activity.get(entry.id)));
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
      const gone = departure(reply);
      // One that does not wait has its answer in milliseconds, whoever closes meanwhile.
      const signal = wait === undefined ? gone : AbortSignal.any([gone, closing]);
      const holder = clientOf(request);
      const asked = popRequest(entry, { limit, wait, filters, worker: request.ip, holder, signal }, pop);
      const claim = () => queue.pop(entry.id, asked);
      const claimed = asked.limit === 0 ? [] : await withFilters(holder, filters, claim);
      // A client that left before the answer, or heard that there is none, would hold these tasks until they should have begun.
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

function present(entry: SchedulerEntry, activity: SchedulerActivity | undefined) {
  return {
    id: entry.id,
    type: entry.type,
    item_type: entry.itemType,
    qsize: activity?.queued ?? 0,
    last_activity: activity?.lastActivity ?? null,
  };
}
