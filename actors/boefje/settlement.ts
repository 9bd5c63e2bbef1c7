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
  'no-run-on': 'run-on-only',
};

/**
 * How a due schedule moves on after a refusal: disabled with its reason; to the end of the grace period, since a full
 * new one would let the pair rest twice; else to its next deadline, or nowhere where none can be told (null). A cron that
 * cannot be read stays in the schedule that it disables, for people to see. `until`: epoch milliseconds.
 */
export function settlementOf(
  { id, version }: Pick<DueSchedule, 'id' | 'version'>,
  reason: RefusalReason,
  recurrence: Recurrence | null,
  until?: number,
): ScheduleSettlement {
  if (recurrence?.disabled !== undefined) return { id, version, ...unreadable(recurrence) };
  const disabled = disabling[reason];
  if (disabled !== undefined) return { id, version, disabled };
  if (reason === 'grace-period' && until !== undefined) {
    return { id, version, ...recurrence, deadlineAt: iso(until), byInterval: false };
  }
  return { id, version, ...recurrence };
}

/** The deadline stays: mula, should it come back, reads some crons that Rota refuses. */
export function unreadable({ schedule, inherited = false, disabled }: Recurrence): Partial<ScheduleSettlement> {
  return { schedule, inherited, disabled: disabled! };
}
