import type { RefusalReason } from '../tasks/refusal.ts';
import type { TaskData } from '../tasks/task.ts';
import type { DueSchedule } from './requests.ts';

/** What the supervisor sends to a scheduler actor's mailbox, beside stream events and clocks. */

/** A person's pushes made or moved schedules with the default recurrence: correct their cron or interval. Best effort. */
export interface CorrectSchedules {
  readonly kind: 'correct-schedules';
  readonly ids: readonly string[];
  /** What each was pushed for: most need no correction, and are not read. The others of `ids` are read. */
  readonly pushed?: readonly PushedSchedule[];
}

export interface PushedSchedule {
  readonly id: string;
  readonly organisation: string;
  /** The boefje's id. */
  readonly plugin: string | null;
  /** Its cron is that of a boefje, which may have none any more. */
  readonly inherited: boolean;
}

/** Claim due schedules now. Sent by the clock, and by an operator. */
export interface Reschedule {
  readonly kind: 'reschedule';
}

/** Look for newly enabled boefjes now. Sent by the clock, and after one was enabled (`rota.ctl.look`). */
export interface LookForNewBoefjes {
  readonly kind: 'look-for-new-boefjes';
  /** Only these; all where absent. */
  readonly organisations?: readonly string[];
}

/**
 * What would the scheduler decide now about this task data? Answers an Explanation and does nothing. A scheduler may leave
 * it out: `rota explain` then shows queue and schedule only.
 */
export interface Explain {
  readonly kind: 'explain';
  readonly organisation: string;
  /** Of a task; for a raw file without a named normalizer it is `{raw_data, size}` (tasks/data.ts). */
  readonly data: TaskData;
  /** The schedule of the same hash. */
  readonly schedule: DueSchedule | null;
  /** As if an event about the OOI had come, or as if the schedule were due. */
  readonly trigger: 'event' | 'schedule';
  /** Epoch milliseconds by the database's clock: no caller waits for the answer after it. */
  readonly until: number;
}

/** One rule of a scheduler, applied to what is true now. */
export interface ExplanationStep {
  /** In KAT's words, such as `clearance`. */
  readonly rule: string;
  /**
   * - passes, refuses: as the scheduler would decide;
   * - unanswered: it cannot find out, and would try again later;
   * - skipped: not asked, since an earlier step left nothing to ask about.
   */
  readonly outcome: 'passes' | 'refuses' | 'unanswered' | 'skipped';
  /** Set where it refuses, except for a raw file by which a boefje asks to be descheduled: that is no refusal. */
  readonly reason: RefusalReason | null;
  /** The deciding fact, for people. */
  readonly fact: string;
}

/** The scheduler's decision now, in its order. A dry run: nothing is pushed or counted. */
export interface Explanation {
  readonly steps: readonly ExplanationStep[];
  /** When it would run again after a run now: ISO timestamp, null for never by itself. */
  readonly nextRunAt: string | null;
  /** Of the one task that it would make, complete for a worker; absent where it makes none, or several. */
  readonly data?: TaskData;
}

export type SupervisorCommand = CorrectSchedules | Reschedule | LookForNewBoefjes | Explain;
