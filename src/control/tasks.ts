import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { Failure } from '../mailbox/failure.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { TaskLists } from '../queue/lists/lists.ts';
import type { TaskPatch, TaskQueue } from '../queue/queue.ts';
import { lengths, shortText } from '../tasks/lengths.ts';
import { type TaskStatus, taskStatuses } from '../tasks/status.ts';
import type { Task } from '../tasks/task.ts';
import { type Audit, command, type OperatorCommand } from './operator-command.ts';

export interface TaskDesk {
  readonly lists: TaskLists;
  readonly queue: Pick<TaskQueue, 'patch'>;
  readonly inspection: Pick<QueueInspection, 'details'>;
  readonly audit: Audit;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
}

/** Tasks that one request changes: one statement of the queue. Whoever changes more asks again. */
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

/** What each action makes of a task, and in which states it may be. */
const actions = {
  cancel: { becomes: 'cancelled', from: ['pending', 'queued', 'dispatched', 'running'] },
  retry: { becomes: 'queued', from: ['failed', 'cancelled', 'completed'] },
  release: { becomes: 'queued', from: ['dispatched', 'running'] },
} as const satisfies Record<string, { becomes: TaskStatus; from: readonly TaskStatus[] }>;

type Action = keyof typeof actions;
const action = z.enum(Object.keys(actions) as [Action, ...Action[]]);

/** Lists of tasks, and what an operator does to them: by id, or a batch of those that a selection names. */
export function taskCommands(desk: TaskDesk): readonly OperatorCommand[] {
  const { inspection, audit } = desk;
  return [
    command('tasks', selection.extend(page), async (body) => list(desk, body)),

    command('task-details', z.strictObject({ ids: z.array(z.uuid()).min(1).max(100) }), async ({ ids }) => ({
      results: (await inspection.details(ids)).map(({ task, reason, attempts, unbegun, lease, queue }) => ({
        ...task,
        reason,
        attempts,
        unbegun,
        lease,
        queue,
      })),
    })),

    command(
      'change-tasks',
      z.strictObject({ action, ids: z.array(z.uuid()).min(1).max(mostChanged) }),
      async ({ action, ids }, { by }) => {
        const changed = await change(desk, action, ids);
        audit(action, by, { tasks: changed.changed });
        return changed;
      },
    ),

    // Those that were refused stay in the list: `offset` steps over them.
    command(
      'change-selected-tasks',
      selection.extend({ action, status: z.enum(taskStatuses), offset: page.offset }),
      async ({ action, offset, ...selected }, { by }) => {
        checkStatus(action, selected.status);
        const { results } = await list(desk, { ...selected, limit: mostChanged, offset });
        const changed = await change(
          desk,
          action,
          results.map(({ id }) => id),
        );
        if (changed.changed > 0) audit(action, by, { tasks: changed.changed, selection: selected });
        return changed;
      },
    ),
  ];
}

async function list(
  { lists, now }: Pick<TaskDesk, 'lists' | 'now'>,
  request: z.output<typeof selection> & { limit: number; offset: number },
): Promise<{ count: number; results: Task[] }> {
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

function checkStatus(action: Action, status: TaskStatus): void {
  const from: readonly TaskStatus[] = actions[action].from;
  if (from.includes(status)) return;
  throw new RotaError('INVALID_REQUEST', `status: ${action} is for tasks that are ${from.join(', ')}; got ${status}`);
}

interface Changed {
  readonly changed: number;
  readonly refused: readonly { readonly id: string; readonly code: string; readonly detail: string }[];
}

async function change(desk: TaskDesk, action: Action, ids: readonly string[]): Promise<Changed> {
  if (ids.length === 0) return { changed: 0, refused: [] };
  const known = new Map((await desk.inspection.details(ids)).map((details) => [details.task.id, details]));
  const patches: TaskPatch[] = [];
  const refused: { id: string; code: string; detail: string }[] = [];
  for (const id of ids.map((it) => it.toLowerCase())) {
    const details = known.get(id);
    const failure = failureBefore(action, id, details?.task.status);
    if (failure !== null) refused.push({ id, code: failure.code, detail: failure.message });
    // Whoever holds the task over NATS would be asked for its lease: an operator takes it away by name.
    else patches.push({ id, via: 'nats', leaseId: details?.lease?.id ?? null, status: actions[action].becomes });
  }
  const outcomes = patches.length === 0 ? [] : await desk.queue.patch(patches);
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.ok) continue;
    refused.push({ id: patches[at]!.id, code: outcome.failure.code, detail: outcome.failure.message });
  }
  return { changed: ids.length - refused.length, refused };
}

function failureBefore(action: Action, id: string, status: TaskStatus | undefined): Omit<Failure, 'retryable'> | null {
  if (status === undefined) return { code: 'NOT_FOUND', message: `there is no task ${id}` };
  const from: readonly TaskStatus[] = actions[action].from;
  if (from.includes(status)) return null;
  return { code: 'CONFLICT', message: `task ${id} is ${status}: ${action} is for ${from.join(', ')}` };
}
