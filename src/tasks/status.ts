/**
 * The life of a task, in one table (docs/queue-semantics.md).
 *
 * From an unfinished state any state may follow: a runner may report `completed` from dispatched, an operator may
 * cancel from anywhere. From a finished state only `queued` may, which is a retry. The same state again is fine and
 * changes nothing but `modified_at`.
 */
export const taskStatuses = ['pending', 'queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled'] as const;

export type TaskStatus = (typeof taskStatuses)[number];

/** Cancelled is finished: mula forgot it, so that a cancelled task blocked its boefje and OOI for ever (#1354, #2632). */
export const finishedStatuses = ['completed', 'failed', 'cancelled'] as const satisfies readonly TaskStatus[];

const finished: ReadonlySet<TaskStatus> = new Set(finishedStatuses);

export function isFinished(status: TaskStatus): boolean {
  return finished.has(status);
}

const anyState: ReadonlySet<TaskStatus> = new Set(taskStatuses);

export const transitions: Readonly<Record<TaskStatus, ReadonlySet<TaskStatus>>> = {
  pending: anyState,
  queued: anyState,
  dispatched: anyState,
  running: anyState,
  completed: new Set(['completed', 'queued']),
  failed: new Set(['failed', 'queued']),
  cancelled: new Set(['cancelled', 'queued']),
};

export function mayFollow(from: TaskStatus, to: TaskStatus): boolean {
  return transitions[from].has(to);
}
