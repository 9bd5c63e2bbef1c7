import type { TaskStatus } from './task.ts';

/**
 * Every reason for which a scheduler declines to make a task: counted, logged at debug, and what `rota explain` answers
 * with. The list is closed: a new reason is added here first.
 */
export const refusalReasons = [
  'organisation-gone', // Katalogus does not know the organisation
  'boefje-gone', // Katalogus does not know the boefje (any more)
  'boefje-disabled', // disabled in this organisation
  'not-a-boefje', // the plug-in of that id is of another type
  'not-consumed', // the plug-in does not consume this type of OOI, or this mime type
  'ooi-gone', // Octopoes does not know the OOI (any more)
  'no-scan-profile', // the OOI has no scan profile yet
  'scan-level-too-low', // the OOI's clearance is below the boefje's scan level
  'no-run-on', // the boefje runs on other operations (run_on)
  'cron-unreadable', // the cron of the boefje or the schedule cannot be read, or never runs
  'still-running', // its latest task is not finished
  'already-queued', // its hash is queued
  'grace-period', // it ran less than the grace period (or its interval) ago
  'failing', // it failed several times in a row: its period grew
  'schedule-disabled', // a person disabled the schedule
  'normalizer-disabled', // disabled in this organisation
  'error-mime-type', // a raw file of a failed boefje: mime type error/…
  'empty-raw-file', // nothing in it to parse
  'no-mime-type', // a raw file without mime types
  'queue-full', // SCHEDULER_PQ_MAXSIZE reached
  'rank-failed', // the ranker threw, hung or answered nonsense
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** What may end a permission after its task was queued; no scan profile is no clearance. */
export type RevocationReason = Extract<RefusalReason, 'scan-level-too-low' | 'boefje-disabled' | 'boefje-gone'>;

/** Why a hash gets no other task while its latest one has this status; null where that is finished, or there is none. */
export function unfinishedReason(latest: TaskStatus | undefined): 'already-queued' | 'still-running' | null {
  switch (latest) {
    case 'queued':
      return 'already-queued';
    case 'pending':
    case 'dispatched':
    case 'running':
      return 'still-running';
    default:
      return null;
  }
}

/**
 * Hears each rule that a decision applies, with the fact that it goes by: `rota explain` is a decision with a recorder. Without
 * one (null) a decision ends at its first refusal, and no fact is put into words. `reason` is null where the rule passes;
 * `open` says that it was not decided: a service did not answer, or there was nothing to ask about.
 */
export type Recorder = (
  rule: string,
  reason: RefusalReason | null,
  fact: string,
  open?: 'unanswered' | 'skipped',
) => void;
