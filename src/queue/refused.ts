import type { RefusalReason } from '../tasks/refusal.ts';
import { emit } from '../telemetry/events.ts';
import type { QueueItem } from './new-task.ts';

/** Tells which tasks the queue declined, where there are any. */
export function tellRefused(
  scheduler: string,
  reason: RefusalReason,
  items: readonly { readonly row: Pick<QueueItem, 'organisation' | 'hash'> }[],
): void {
  if (items.length === 0) return;
  const tasks = items.map(({ row: { organisation, hash } }) => ({ organisation, hash }));
  emit({ name: 'tasks.refused', scheduler, reason, count: items.length, tasks });
}
