/** What the supervisor sends to a scheduler actor's mailbox, beside stream events and clocks. */

/** A person's pushes made or moved schedules with the default recurrence: correct cron or interval. Best effort. */
export interface CorrectSchedules {
  readonly kind: 'correct-schedules';
  readonly ids: readonly string[];
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

export type SupervisorCommand = CorrectSchedules | Reschedule | LookForNewBoefjes;
