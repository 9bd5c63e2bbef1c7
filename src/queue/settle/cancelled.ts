import { currentTrace } from '../../mailbox/trace.ts';
import { emit } from '../../telemetry/events.ts';

interface CancelledTask {
  readonly id: string;
  readonly organisation: string;
  readonly traceparent: string | null;
}

/**
 * Tells of tasks that a statement cancelled: forget-oois.sql, revoke-queued.sql and purge-queue.sql answer them as a JSON array.
 *
 * @returns how many.
 */
export function tellCancelled(scheduler: string, reason: string, json: string): number {
  const cancelled = JSON.parse(json) as readonly CancelledTask[];
  if (cancelled.length === 0) return 0;
  const by = currentTrace();
  emit({
    name: 'tasks.changed',
    scheduler,
    status: 'cancelled',
    reason,
    tasks: cancelled.map(({ id, organisation }) => ({ id, organisation })),
    traced: cancelled.flatMap(({ id, organisation, traceparent: trace }) =>
      trace === null ? [] : [{ id, organisation, trace, by }],
    ),
  });
  return cancelled.length;
}
