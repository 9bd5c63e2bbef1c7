import type { Failure } from '../mailbox/failure.ts';
import type { DefaultLimit } from './limits.ts';
import type { DisabledReason, TaskData, TaskStatus } from '../tasks/task.ts';
import type { RefusalReason, RevocationReason } from '../tasks/refusal.ts';

/**
 * The requests of a scheduler actor to the supervisor: it knows no SQL. Every request is about the actor's own scheduler; the
 * supervisor adds which one that is. Requests take sets: never one per task.
 */
export interface SupervisorRequests {
  /** Ranks and queues a set; one outcome per task, in order. */
  'push-tasks': { request: { tasks: readonly NewTask[] }; reply: readonly PushOutcome[] };
  /** The latest task of each hash, by created_at; hashes without a task are absent. */
  'latest-tasks': { request: { hashes: readonly string[] }; reply: readonly LatestTask[] };
  /** The failures in a row of each hash whose last finished task failed; other hashes are absent. */
  'failure-streaks': { request: { hashes: readonly string[] }; reply: readonly FailureStreak[] };
  /**
   * Claims up to `limit` enabled schedules whose deadline has passed, oldest deadline first, for 60 s: another
   * supervisor's actor does not see them meanwhile. Settle each one. Skips the organisations of `except`.
   */
  'claim-due-schedules': { request: { limit: number; except?: readonly string[] }; reply: readonly DueSchedule[] };
  /**
   * Moves claimed schedules on. A schedule that is not settled comes back when its claim ends. So does one that a person or
   * a push changed since it was read: the decision was about its old state.
   */
  'settle-schedules': { request: { settlements: readonly ScheduleSettlement[] }; reply: null };
  /** Schedules by id, due or not: to correct the recurrence after a person's push. */
  'read-schedules': { request: { ids: readonly string[] }; reply: readonly DueSchedule[] };
  /** Those of these schedules that are disabled by now, by id. */
  'disabled-schedules': { request: { ids: readonly string[] }; reply: readonly string[] };
  /**
   * Schedules of one boefje in one organisation, in order of id, after `after`: the enabled ones, and those disabled for
   * their recurrence (`run-on-only`, `cron-unreadable`). At most `limit`; fewer are the last ones.
   */
  'schedules-of-boefje': {
    request: { organisation: string; boefje: string; after: string | null; limit: number };
    reply: readonly DueSchedule[];
  };
  /** Makes schedules without a task. A hash that has a schedule keeps it as it is. */
  'add-schedules': { request: { schedules: readonly NewSchedule[] }; reply: { added: number } };
  /** An OOI is gone: cancels its queued tasks and disables its schedules with reason `ooi-gone`. */
  'forget-oois': {
    request: { oois: readonly OoiOf[] };
    reply: { cancelled: number; disabled: number };
  };
  /**
   * Permissions ended: cancels their queued tasks, a person's too, and publishes event `revoked` for dispatched tasks that
   * have not begun. Running tasks are left to their workers. `more`: ask again, one request may not cancel all.
   */
  'revoke-tasks': {
    request: { revocations: readonly Revocation[] };
    reply: { cancelled: number; told: number; more: boolean };
  };
  /**
   * Enables schedules again that were disabled for one of `reasons` (and `unknown`); their deadline becomes now. Those of
   * an organisation, or of some of its boefjes; or those of OOIs, each of its organisation.
   */
  'enable-schedules': {
    request: ({ organisation: string; boefjes?: readonly string[] } | { oois: readonly OoiOf[] }) & {
      reasons: readonly DisabledReason[];
    };
    reply: { enabled: number };
  };
  /** `openkat/deschedule`: deletes schedules of any scheduler by hash: the normalizer actor deletes boefje schedules. */
  'delete-schedules': { request: { hashes: readonly string[] }; reply: { deleted: number } };
  /** The boefjes that were seen enabled, per organisation; an organisation never looked at is absent. */
  'seen-boefjes': { request: { organisations?: readonly string[] }; reply: readonly SeenBoefjes[] };
  /** Records the whole set of boefjes that are enabled now in an organisation. */
  'save-seen-boefjes': { request: { seen: readonly SeenBoefjes[] }; reply: null };
  /** All limits that Katalogus gives: those that it gives no more end. What operators set or ended stays. */
  'set-default-limits': { request: { limits: readonly DefaultLimit[] }; reply: null };
}

export type SupervisorRequestKind = keyof SupervisorRequests;

/** A kind of request as the name of a method: `latestTasks` for `latest-tasks`. */
export type MethodOf<Kind extends string> = Kind extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<MethodOf<Tail>>}`
  : Kind;

/** Asks the supervisor; a failure rejects with an error that has `code` and `retryable`. */
export type AskSupervisor = <K extends SupervisorRequestKind>(
  kind: K,
  request: SupervisorRequests[K]['request'],
) => Promise<SupervisorRequests[K]['reply']>;

export interface NewTask {
  /** A fresh uuid where absent. */
  readonly id?: string;
  readonly organisation: string;
  readonly data: TaskData;
  /** `data` is the output of its type's schema: it is not validated again. */
  readonly checked?: true;
  /** That of `data`, where the caller has it already. */
  readonly hash?: string;
  /** Where absent, the scheduler's ranker decides. */
  readonly priority?: number;
  /**
   * When it runs again. `none` leaves schedules alone (run_on boefjes, normalizers). `default`: the schedule's own cron,
   * else for a boefje the grace period with jitter, for a report none. Absent for a person's push: the default for now, an
   * existing cron of the boefje stays, and `correct-schedules` follows.
   */
  readonly recurrence?: Recurrence | 'none' | 'default';
  /**
   * Id of the latest task of its hash at the decision to make this one, null where there was none: refused as
   * `already-queued` where there is a newer one. Absent for a person's push.
   */
  readonly follows?: string | null;
  /** Epoch milliseconds, for rankers: when the raw file came, and when the pair last ran. */
  readonly occurredAt?: number;
  readonly lastRunAt?: number;
  /**
   * Traceparent of the event that caused it. '' or null where the clock did: it begins a trace of its own then. Absent: the
   * request that pushes it. docs/tracing.md
   */
  readonly trace?: string | null;
}

export interface Recurrence {
  /** Cron of the boefje or the schedule; null where none. */
  readonly schedule: string | null;
  /** ISO timestamp; null for no further deadline. */
  readonly deadlineAt: string | null;
  /** True where `schedule` is the boefje's cron: stored, so that it goes when the boefje's goes (lessons §0.7). */
  readonly inherited?: boolean;
  /** True where the boefje's interval set `deadlineAt`: stored, since the next deadline is counted from it. */
  readonly byInterval?: boolean;
  /** Set where this recurrence cannot run: its schedule is kept, disabled for this reason. */
  readonly disabled?: 'cron-unreadable';
  /** Of the schedule that asks for the run: where it was changed since, it stays as it is. Absent for an event. */
  readonly version?: string;
}

export type PushOutcome =
  | {
      readonly outcome: 'queued';
      readonly id: string;
      readonly scheduleId: string | null;
      /** As JSON text (kat-contract §1), where the push asked for it. */
      readonly task?: string;
      /** The task's status where the push is a repeat, with the same id. */
      readonly status?: TaskStatus;
    }
  /** `detail`: how a ranker failed. */
  | { readonly outcome: 'refused'; readonly reason: RefusalReason; readonly detail?: string }
  /** An invalid push: malformed data (BAD_REQUEST), a priority beyond int4 (INVALID_REQUEST), a taken id (CONFLICT). */
  | { readonly outcome: 'failed'; readonly failure: Failure };

export interface LatestTask {
  readonly hash: string;
  readonly id: string;
  readonly status: TaskStatus;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly modifiedAt: number;
}

/**
 * Failed tasks of a hash, the newest ones in a row. Tasks that were cancelled or are not finished neither count nor end it; a
 * completed one ends it, and so does one of another version or image of the boefje.
 */
export interface FailureStreak {
  readonly hash: string;
  readonly failures: number;
  /** There may be more: no more tasks were read. */
  readonly bounded: boolean;
  /** Epoch milliseconds at which the first and the last one ended. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Of the boefje that failed; null where no task says. */
  readonly version: string | null;
  readonly image: string | null;
}

export interface DueSchedule {
  readonly id: string;
  /** Goes back with every decision on it: each change of the schedule gives it another one. */
  readonly version: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: TaskData;
  readonly enabled: boolean;
  /** Why it is disabled; absent or null where it is enabled, or the reason was not recorded. */
  readonly disabledReason?: DisabledReason | null;
  readonly schedule: string | null;
  /** True where `schedule` was the boefje's cron when it was stored; absent or false: the schedule's own. */
  readonly inherited?: boolean;
  /** True while `deadlineAt` is the one that the boefje's interval set. */
  readonly byInterval?: boolean;
  /** True while `deadlineAt` is one that was asked for: by a person, or what enabled it again. No recurrence set it. */
  readonly asked?: boolean;
  /** Epoch milliseconds. */
  readonly deadlineAt: number | null;
}

export interface ScheduleSettlement {
  readonly id: string;
  /** The one decided on: where the schedule has another one by now, the settlement is ignored. */
  readonly version: string;
  /** ISO timestamp of the next deadline, null for none. Absent: unchanged. */
  readonly deadlineAt?: string | null;
  /** Absent: unchanged. */
  readonly schedule?: string | null;
  /** Goes with `schedule`: whether that is the boefje's cron. Absent: unchanged. */
  readonly inherited?: boolean;
  /** Go with `deadlineAt`. */
  readonly byInterval?: boolean;
  readonly asked?: boolean;
  /** In a row, where the deadline is that far away because of them: counted. */
  readonly failures?: number;
  /** Null enables it again. Absent: unchanged. */
  readonly disabled?: DisabledReason | null;
}

/** A schedule of a pair that does not run now. */
export interface NewSchedule {
  readonly organisation: string;
  readonly hash: string;
  readonly data: TaskData;
  readonly recurrence: Recurrence;
}

interface OoiOf {
  readonly organisation: string;
  readonly ooi: string;
}

export type Revocation = RevokedHash | RevokedBoefjes;

/** One boefje on one OOI of one organisation. */
interface RevokedHash {
  readonly hash: string;
  readonly reason: RevocationReason;
}

/** All boefjes of an organisation but the `enabled` ones: those that are `disabled` are, others are gone. */
export interface RevokedBoefjes {
  readonly organisation: string;
  readonly enabled: readonly string[];
  readonly disabled: readonly string[];
}

export interface SeenBoefjes {
  readonly organisation: string;
  readonly boefjes: readonly string[];
  /**
   * The recurrence that their schedules follow, by id of the boefjes that have one. Null: never looked at (adoption).
   */
  readonly recurrences: Readonly<Record<string, string>> | null;
}
