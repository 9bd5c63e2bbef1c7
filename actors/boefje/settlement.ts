import type { DueSchedule, Recurrence, ScheduleSettlement } from '../../src/protocol/requests.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';
import type { DisabledReason } from '../../src/tasks/task.ts';
import { iso } from './recurrence.ts';

/**
 * Where a refusal will not pass by waiting the schedule is disabled, and comes back when its reason goes. A plug-in that
 * is no boefje is a boefje that is gone: schedules have no reason of its own for it.
 */
const disabling: Partial<Record<RefusalReason, DisabledReason>> = {
  'organisation-gone': 'organisation-gone',
  'boefje-gone': 'boefje-gone',
  'not-a-boefje': 'boefje-gone',
  'boefje-disabled': 'boefje-disabled',
  'ooi-gone': 'ooi-gone',
  'scan-level-too-low': 'scan-level-too-low',
};

/**
 * How a due schedule moves on after a refusal: disabled with its reason; to the end of the grace period, since a full
 * new one would let the pair rest twice; off the clock where the boefje runs on operations now; else to its next
 * deadline, or nowhere where none can be told (null). `until`: epoch milliseconds.
 */
export function settlementOf(
  { id, version }: Pick<DueSchedule, 'id' | 'version'>,
  reason: RefusalReason,
  recurrence: Recurrence | null,
  until?: number,
): ScheduleSettlement {
  const disabled = disabling[reason];
  if (disabled !== undefined) return { id, version, disabled };
  if (reason === 'no-run-on') return { id, version, deadlineAt: null };
  if (reason === 'grace-period' && until !== undefined) return { id, version, ...recurrence, deadlineAt: iso(until) };
  return { id, version, ...recurrence };
}
