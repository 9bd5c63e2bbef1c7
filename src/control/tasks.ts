import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { Failure } from '../mailbox/failure.ts';
import type { ChangedTasks, Page, TaskAction } from '../protocol/operator-lists.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { TaskLists } from '../queue/lists/lists.ts';
import type { TaskPatch, TaskQueue } from '../queue/queue.ts';
import { excerpt, excerptInBytes, oneLine } from '../printable.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { type TaskStatus, taskStatuses, type Task } from '../tasks/task.ts';
import { type CommandAudit, command, type SomeCommands } from './operator-command.ts';

export interface TaskPorts {
  readonly lists: TaskLists;
  readonly queue: Pick<TaskQueue, 'patch'>;
  readonly inspection: Pick<QueueInspection, 'details' | 'withStreaks'>;
  readonly audit: CommandAudit;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
}

/** Tasks that one request changes, in one statement of the queue. Clients repeat it for more. */
const mostChanged = 500;

const selection = z.strictObject({
  scheduler: shortText(lengths.name).optional(),
  organisation: shortText(lengths.organisation).optional(),
  /** Boefje or normalizer, or the report recipe. */
  plugin: shortText(lengths.name).optional(),
  /** A part of the OOI's reference. */
  ooi: shortText(lengths.ooi).optional(),
  status: z.enum(taskStatuses).optional(),
  older_than_seconds: z.number().min(0).optional(),
});

const page = { limit: z.int().min(0).max(mostChanged).default(20), offset: z.int().min(0).default(0) };

/** The status that each action sets, and those it accepts. */
const actions = {
  cancel: { becomes: 'cancelled', from: ['pending', 'queued', 'dispatched', 'running'] },
  retry: { becomes: 'queued', from: ['failed', 'cancelled', 'completed'] },
  release: { becomes: 'queued', from: ['dispatched', 'running'] },
} as const satisfies Record<TaskAction, { becomes: TaskStatus; from: readonly TaskStatus[] }>;

/** For people, kept on the task. */
const why = z
  .string()
  .transform((text) => excerptInBytes(oneLine(text).toWellFormed(), lengths.name))
  .optional();

const action = z.enum(Object.keys(actions) as [TaskAction, ...TaskAction[]]);

/** Lists of tasks, and changes to them: by id, or a batch of those that a selection names. */
export function taskCommands(ports: TaskPorts) {
  const { inspection, audit } = ports;
  return {
    tasks: command('read', selection.extend(page), async (body) => {
      const { count, results } = await list(ports, body);
      return { count, results: await inspection.withStreaks(results) };
    }),

    'task-details': command('read', z.strictObject({ ids: z.array(z.uuid()).min(1).max(100) }), async ({ ids }) => ({
      results: await inspection.details(ids),
    })),

    'change-tasks': command(
      'operate',
      z.strictObject({ action, ids: z.array(z.uuid()).min(1).max(mostChanged), why }),
      async ({ action, ids, why }, { by }) => {
        const changed = await change(ports, action, ids, { doer: by, why });
        audit(action, by, { tasks: changed.changed, ...(why === undefined ? {} : { why }) });
        return changed;
      },
    ),

    // Refused tasks stay in the selection: `offset` steps over them.
    'change-selected-tasks': command(
      'operate',
      selection.extend({ action, status: z.enum(taskStatuses), offset: page.offset, why }),
      async ({ action, offset, why, ...selected }, { by }) => {
        checkStatus(action, selected.status);
        const { results } = await list(ports, { ...selected, limit: mostChanged, offset });
        const changed = await change(
          ports,
          action,
          results.map(({ id }) => id),
          { doer: by, why },
        );
        if (changed.changed > 0)
          audit(action, by, { tasks: changed.changed, selection: selected, ...(why === undefined ? {} : { why }) });
        return changed;
      },
    ),
  } satisfies SomeCommands;
}

async function list(
  { lists, now }: Pick<TaskPorts, 'lists' | 'now'>,
  request: z.output<typeof selection> & { limit: number; offset: number },
): Promise<Page<Task>> {
  const { scheduler, organisation, plugin, ooi, status, older_than_seconds: seconds, limit, offset } = request;
  const { count, results } = await lists.tasks({
    ...(scheduler === undefined ? {} : { schedulerId: scheduler }),
    ...(organisation === undefined ? {} : { organisation }),
    ...(plugin === undefined ? {} : { pluginId: plugin }),
    ...(ooi === undefined ? {} : { inputOoi: ooi }),
    ...(status === undefined ? {} : { status }),
    ...(seconds === undefined ? {} : { maxCreatedAt: new Date(now() - seconds * 1_000).toISOString() }),
    filters: null,
    countPages: null,
    limit,
    offset,
  });
  return { count, results: JSON.parse(results) as Task[] };
}

function checkStatus(action: TaskAction, status: TaskStatus): void {
  const from: readonly TaskStatus[] = actions[action].from;
  if (from.includes(status)) return;
  throw new RotaError('INVALID_REQUEST', `status: ${action} is for tasks that are ${from.join(', ')}; got ${status}`);
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
): Promise<ChangedTasks> {
  if (ids.length === 0) return { changed: 0, refused: [] };
  const known = new Map((await ports.inspection.details(ids)).map((task) => [task.id, task]));
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
        status: actions[action].becomes,
        doer: doer === null ? 'an operator' : excerpt(oneLine(doer)),
        ...(why === undefined ? {} : { why }),
      });
    }
  }
  const outcomes = patches.length === 0 ? [] : await ports.queue.patch(patches);
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.ok) continue;
    refused.push({ id: patches[at]!.id, code: outcome.failure.code, detail: outcome.failure.message });
  }
  return { changed: ids.length - refused.length, refused };
}

function failureBefore(
  action: TaskAction,
  id: string,
  status: TaskStatus | undefined,
): Omit<Failure, 'retryable'> | null {
  if (status === undefined) return { code: 'NOT_FOUND', message: `there is no task ${id}` };
  const from: readonly TaskStatus[] = actions[action].from;
  if (from.includes(status)) return null;
  return { code: 'CONFLICT', message: `task ${id} is ${status}: ${action} is for ${from.join(', ')}` };
}
