import type { PushOutcome } from '../../protocol/requests.ts';
import type { RefusalReason } from '../../tasks/refusal.ts';
import { emit } from '../../telemetry/events.ts';
import type { QueueItem } from './push-statement.ts';

/** Tells which tasks of a push the queue declined, by reason. */
export function tellRefused(
  scheduler: string,
  items: readonly { readonly row: Pick<QueueItem, 'organisation' | 'hash'> }[],
  outcomes: readonly PushOutcome[],
): void {
  const refused = new Map<RefusalReason, { organisation: string; hash: string }[]>();
  for (const [n, outcome] of outcomes.entries()) {
    if (outcome.outcome !== 'refused') continue;
    const { organisation, hash } = items[n]!.row;
    const tasks = refused.get(outcome.reason) ?? [];
    tasks.push({ organisation, hash });
    refused.set(outcome.reason, tasks);
  }
  for (const [reason, tasks] of refused) emit({ name: 'tasks.refused', scheduler, reason, count: tasks.length, tasks });
}
