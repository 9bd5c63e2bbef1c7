import type { RefusalReason } from '../tasks/refusal.ts';

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
