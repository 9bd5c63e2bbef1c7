import type { TaskAction } from '../protocol/operator-lists.ts';
import type { TaskStatus } from '../tasks/task.ts';

/** What operators do to tasks, as the commands, the terminal and the page have it. */

/** The status that each action sets, and those it accepts. */
export const taskActions = {
  cancel: { becomes: 'cancelled', from: ['pending', 'queued', 'dispatched', 'running'] },
  retry: { becomes: 'queued', from: ['failed', 'cancelled', 'completed'] },
  release: { becomes: 'queued', from: ['dispatched', 'running'] },
} as const satisfies Record<TaskAction, { becomes: TaskStatus; from: readonly TaskStatus[] }>;

/** The states of a selection that names none. Completed tasks are retried only where it does. */
export const selectedStatuses: Readonly<Record<TaskAction, readonly TaskStatus[]>> = {
  cancel: ['queued', 'dispatched', 'running', 'pending'],
  retry: ['failed'],
  release: ['dispatched', 'running'],
};

/** `212 tasks …` */
export const pastOf: Readonly<Record<TaskAction, string>> = {
  cancel: 'cancelled',
  retry: 'queued again',
  release: 'released',
};

export function accepts(action: TaskAction, status: TaskStatus): boolean {
  const from: readonly TaskStatus[] = taskActions[action].from;
  return from.includes(status);
}
