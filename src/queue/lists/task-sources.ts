import type { TaskStatus } from '../../tasks/status.ts';

/**
 * Where tasks of a status stand. No index on `tasks` may name the status (it would end HOT updates), so a list by status
 * starts from the narrow table that holds exactly those tasks, where there is one.
 */
export interface TaskSource {
  readonly from: string;
  /** Appended to `from` for conditions on alias t; empty where t is in it already. */
  readonly join: string;
  readonly id: string;
  readonly scheduler: string;
  readonly organisation: string;
  readonly createdAt: string;
  /** What is still to be asked of a row, as SQL. */
  readonly status: string | null;
}

export function taskSource(status: TaskStatus | undefined): TaskSource {
  switch (status) {
    case 'queued':
      return {
        from: 'queue q',
        join: ' JOIN tasks t ON t.id = q.id',
        id: 'q.id',
        scheduler: 'q.scheduler',
        organisation: 'q.organisation',
        createdAt: 'q.created_at',
        status: null,
      };
    case 'dispatched':
    case 'running':
      return {
        ...allTasks,
        from: 'leases l JOIN tasks t ON t.id = l.task_id',
        scheduler: 'l.scheduler',
        status: labels[status],
      };
    case 'failed':
    case 'cancelled':
      return {
        from: 'rare_outcomes r',
        join: ' JOIN tasks t ON t.id = r.task_id',
        id: 'r.task_id',
        scheduler: 'r.scheduler',
        organisation: 'r.organisation',
        createdAt: 'r.created_at',
        status: labels[status],
      };
    case 'pending':
    case 'completed':
      return { ...allTasks, status: labels[status] };
    case undefined:
      return allTasks;
  }
}

const allTasks: TaskSource = {
  from: 'tasks t',
  join: '',
  id: 't.id',
  scheduler: 't.scheduler_id',
  organisation: 't.organisation',
  createdAt: 't.created_at',
  status: null,
};

const labels = {
  dispatched: `t.status = 'DISPATCHED'`,
  running: `t.status = 'RUNNING'`,
  failed: `r.status = 'FAILED'`,
  cancelled: `r.status = 'CANCELLED'`,
  pending: `t.status = 'PENDING'`,
  completed: `t.status = 'COMPLETED'`,
} as const;
