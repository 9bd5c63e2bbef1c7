import type { RefusalReason } from '../tasks/refusal.ts';
import type { TaskData } from '../tasks/task.ts';
import type { DueSchedule } from './requests.ts';

/** What the supervisor sends to a scheduler actor's mailbox, beside stream events and clocks. */

/** A person's pushes made or moved schedules with the default recurrence: correct cron or interval. Best effort. */
export interface CorrectSchedules {
  readonly kind: 'correct-schedules';
  readonly ids: readonly string[];
  /** What each was pushed for: most need no correction, and need not be read. Those that it leaves out are. */
  readonly pushed?: readonly PushedSchedule[];
}

export interface PushedSchedule {
  readonly id: string;
  readonly organisation: string;
  /** The boefje's id. */
  readonly plugin: string | null;
  /** It has its cron from a boefje, which may have none any more. */
  readonly inherited: boolean;
}

/** Claim due schedules now. Sent by the clock, and by an operator. */
export interface Reschedule {
  readonly kind: 'reschedule';
}

/** Look for newly enabled boefjes now. Sent by the clock, and by whoever enabled one (`rota.ctl.look`). */
export interface LookForNewBoefjes {
  readonly kind: 'look-for-new-boefjes';
  /** Only these; all where absent. */
  readonly organisations?: readonly string[];
}

/**
 * What would the scheduler decide now about this task data? Answers an Explanation and does nothing. A
 * scheduler may leave it out: `rota explain` then says what the queue and the schedule tell.
 */
export interface Explain {
  readonly kind: 'explain';
  readonly organisation: string;
  /** Of a task; of a raw file that nobody names a normalizer for it is `{raw_data, size}` (tasks/data.ts). */
  readonly data: TaskData;
  /** The schedule of the same hash. */
  readonly schedule: DueSchedule | null;
  /** As if an event about the OOI had come, or as if the schedule were due. */
  readonly trigger: 'event' | 'schedule';
}

/** One rule of a scheduler, applied to what is true now. */
export interface ExplanationStep {
  /** In KAT's words, such as `clearance`. */
  readonly rule: string;
  /**
   * - passes, refuses: as the scheduler would decide;
   * - unanswered: it could not find out, so it would try again later;
   * - skipped: not asked, since an earlier step left nothing to ask about.
   */
  readonly outcome: 'passes' | 'refuses' | 'unanswered' | 'skipped';
  /** Set where it refuses, but for a raw file by which a boefje asks to be descheduled: that is counted as no refusal. */
  readonly reason: RefusalReason | null;
  /** What decided it, for people. */
  readonly fact: string;
}

/** What a scheduler would decide now, in the order in which it decides. A dry run: nothing is pushed or counted. */
export interface Explanation {
  readonly steps: readonly ExplanationStep[];
  /** When it would run again if it ran now: ISO timestamp, null for never by itself. */
  readonly nextRunAt: string | null;
}

export type SupervisorCommand = CorrectSchedules | Reschedule | LookForNewBoefjes | Explain;
