import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { Failure } from '../mailbox/failure.ts';
import type { ChangedTasks, StartEstimate, TaskAction } from '../protocol/operator-lists.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { KeysetPage } from '../queue/lists/keyset.ts';
import type { TaskLists } from '../queue/lists/lists.ts';
import type { TaskPatch, TaskQueue } from '../queue/queue.ts';
import { excerpt, excerptInBytes, oneLine } from '../printable.ts';
import { lengths } from '../tasks/limits.ts';
import { type TaskStatus, taskStatuses, type Task } from '../tasks/task.ts';
import { auditIds, type CommandAudit, command, maxAge, nothing, type SomeCommands } from './operator-command.ts';
import { cursor, listedText, listPage, timestamp } from './paging.ts';
import { Recent } from './recent.ts';
import { accepts, taskActions } from './task-actions.ts';

export interface TaskPorts {
  readonly lists: Pick<TaskLists, 'search'>;
  readonly queue: Pick<TaskQueue, 'patch'>;
  readonly inspection: Pick<QueueInspection, 'details' | 'standing' | 'start' | 'withStreaks'>;
  /** Of any age by status, of each scheduler: from the roll-up. */
  readonly taskTotals: () => Promise<ReadonlyMap<string, Readonly<Record<TaskStatus, number>>>>;
  readonly audit: CommandAudit;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
}

/** Tasks that one request changes, in one statement of the queue. Clients repeat it for more. */
const mostChanged = 500;

/** A hundred years: no timestamp gets out of range. */
const longestAge = 100 * 366 * 86_400;

const selection = z.strictObject({
  scheduler: listedText(lengths.name).optional(),
  organisation: listedText(lengths.organisation).optional(),
  /** Boefje or normalizer, or the report recipe. */
  plugin: listedText(lengths.name).optional(),
  /** A part of the OOI's reference. */
  ooi: listedText(lengths.ooi).optional(),
  /** The whole of it: with organisation, of the boefje scheduler, the index knows its tasks. */
  whole_ooi: listedText(lengths.ooi).optional(),
  status: z.enum(taskStatuses).optional(),
  older_than_seconds: z.number().min(0).max(longestAge).optional(),
  /** When they were made, inclusive. */
  from: timestamp.optional(),
  to: timestamp.optional(),
  /** Where an earlier answer ended. */
  before: cursor.optional(),
});

/** For people, kept on the task. */
const why = z
  .string()
  .transform((text) => excerptInBytes(oneLine(text).toWellFormed(), lengths.name))
  .optional();

const action = z.enum(Object.keys(taskActions) as [TaskAction, ...TaskAction[]]);

/** Lists of tasks, and changes to them: by id, or a batch of those that a selection names. */
export function taskCommands(ports: TaskPorts) {
  const { inspection, audit } = ports;
  // An estimate counts up to 100 000 rows.
  const starts = new Recent<StartEstimate>();
  const startOf = async (id: string) => {
    const [task] = await inspection.standing([id]);
    if (task === undefined) throw new RotaError('NOT_FOUND', `there is no task ${id}`);
    return inspection.start(task);
  };
  return {
    tasks: command('read', selection.extend({ limit: z.int().min(0).max(mostChanged).default(20) }), async (body) => {
      const now = ports.now();
      const page = await find(ports, body, now);
      return listPage(page, await inspection.withStreaks(JSON.parse(page.results) as Task[]), now);
    }),

    'task-details': command('read', z.strictObject({ ids: z.array(z.uuid()).min(1).max(100) }), async ({ ids }) => ({
      results: await inspection.details(ids),
    })),

    // Of all supervisors: `GET /tasks/:id/start` over NATS.
    'task-start': command(
      'read',
      z.strictObject({ id: z.uuid(), ...maxAge }),
      async ({ id, max_age_seconds: seconds }) => starts.of(id, seconds * 1_000, () => startOf(id)),
    ),

    'task-totals': command('read', nothing, async () => ({
      results: [...(await ports.taskTotals())].map(([scheduler, totals]) => ({ scheduler, ...totals })),
    })),

    'change-tasks': command(
      'operate',
      z.strictObject({ action, ids: z.array(z.uuid()).min(1).max(mostChanged), why }),
      async ({ action, ids, why }, { by }) => {
        const { answer, audited } = await change(ports, action, ids, { doer: by, why });
        audit(action, by, { ...audited, ...(why === undefined ? {} : { why }) });
        return answer;
      },
    ),

    // Clients repeat it with `before` and `made_until` of the answer until `next` is null.
    'change-selected-tasks': command(
      'operate',
      selection.extend({
        action,
        status: z.enum(taskStatuses),
        limit: z.int().min(1).max(mostChanged).default(mostChanged),
        made_until: timestamp.optional(),
        why,
      }),
      async ({ action, limit, why, made_until, ...selected }, { by }) => {
        checkStatus(action, selected.status);
        const now = ports.now();
        const madeUntil = made_until ?? new Date(now).toISOString();
        const page = await find(ports, { ...selected, limit }, now, madeUntil);
        const ids = (JSON.parse(page.results) as Task[]).map(({ id }) => id);
        const { answer, audited } = await change(ports, action, ids, { doer: by, why });
        const { before: _before, ...selection } = selected;
        if (answer.changed > 0) audit(action, by, { ...audited, selection, ...(why === undefined ? {} : { why }) });
        return { ...answer, next: page.next, made_until: madeUntil };
      },
    ),
  } satisfies SomeCommands;
}

function find(
  { lists }: Pick<TaskPorts, 'lists'>,
  request: z.output<typeof selection> & { limit: number },
  now: number,
  madeUntil?: string,
): Promise<KeysetPage> {
  const { scheduler, organisation, plugin, ooi, whole_ooi, status, from, to, before, limit } = request;
  const seconds = request.older_than_seconds;
  const old = seconds === undefined ? undefined : new Date(now - seconds * 1_000).toISOString();
  return lists.search({
    schedulerId: scheduler,
    organisation,
    status,
    pluginId: plugin,
    ooiPart: ooi,
    ooi: whole_ooi,
    from,
    to: [to, old, madeUntil].filter((bound) => bound !== undefined),
    after: before ?? null,
    limit,
  });
}

function checkStatus(action: TaskAction, status: TaskStatus): void {
  if (accepts(action, status)) return;
  const from = taskActions[action].from.join(', ');
  throw new RotaError('INVALID_REQUEST', `status: ${action} is for tasks that are ${from}; got ${status}`);
}

/** As the caller names itself; NATS tells a service no user. */
interface Doer {
  readonly doer: string | null;
  readonly why: string | undefined;
}

async function change(
  ports: TaskPorts,
  action: TaskAction,
  ids: readonly string[],
  { doer, why }: Doer,
): Promise<{ readonly answer: ChangedTasks; readonly audited: Readonly<Record<string, unknown>> }> {
  const standing = ids.length === 0 ? [] : await ports.inspection.standing(ids);
  const known = new Map(standing.map((task) => [task.id, task]));
  const patches: TaskPatch[] = [];
  const refused: { id: string; code: string; detail: string }[] = [];
  for (const id of ids.map((it) => it.toLowerCase())) {
    const task = known.get(id);
    const failure = failureBefore(action, id, task?.status);
    if (failure !== null) refused.push({ id, code: failure.code, detail: failure.message });
    // A patch over NATS needs the lease: an operator takes the task from its worker by naming that.
    else {
      patches.push({
        id,
        via: 'nats',
        leaseId: task?.lease?.id ?? null,
        status: taskActions[action].becomes,
        doer: doer === null ? 'an operator' : excerpt(oneLine(doer)),
        ...(why === undefined ? {} : { why }),
      });
    }
  }
  const outcomes = patches.length === 0 ? [] : await ports.queue.patch(patches);
  const done: string[] = [];
  for (const [at, outcome] of outcomes.entries()) {
    const { id } = patches[at]!;
    if (outcome.ok) done.push(id);
    else refused.push({ id, code: outcome.failure.code, detail: outcome.failure.message });
  }
  const changed = ids.length - refused.length;
  const organisations = done.map((id) => known.get(id)?.organisation);
  return { answer: { changed, refused }, audited: { tasks: changed, ...auditIds(done, organisations) } };
}

function failureBefore(
  action: TaskAction,
  id: string,
  status: TaskStatus | undefined,
): Omit<Failure, 'retryable'> | null {
  if (status === undefined) return { code: 'NOT_FOUND', message: `there is no task ${id}` };
  if (accepts(action, status)) return null;
  return {
    code: 'CONFLICT',
    message: `task ${id} is ${status}: ${action} is for ${taskActions[action].from.join(', ')}`,
  };
}
