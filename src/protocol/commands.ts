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
 * What would the scheduler decide now about this task data? Answers an Explanation (explanation.ts) and does nothing. A
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

export type SupervisorCommand = CorrectSchedules | Reschedule | LookForNewBoefjes | Explain;
