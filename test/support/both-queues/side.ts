import type { NewTask, PushOutcome } from '../../../src/protocol/requests.ts';
import type { PauseKey } from '../../../src/queue/maintenance/pauses.ts';
import type { LeaseRef } from '../../../src/queue/queue.ts';
import type { ScheduleStore } from '../../../src/queue/schedules/schedule-store.ts';
import type { TaskStatus } from '../../../src/tasks/task.ts';

/** An answer or a state, in names that are the same on both sides. */
export type Said = unknown;

/** One of the two queues: in memory, or the statements on Postgres. */
export interface QueueSide {
  readonly scheduler: string;
  readonly store: ScheduleStore;
  push(tasks: readonly NewTask[]): Promise<readonly PushOutcome[]>;
  /** So many units, over NATS. */
  pop(units: number, leaseMs: number): Promise<readonly Claimed[]>;
  /** @returns `done`, or the code of the refusal */
  patch(id: string, leaseId: string | null, status: TaskStatus): Promise<string>;
  /** @returns the ids of those that are renewed */
  heartbeat(leases: readonly LeaseRef[], leaseMs: number | null): Promise<readonly string[]>;
  giveBack(lease: LeaseRef): Promise<void>;
  /** What a supervisor does each second. */
  round(): Promise<void>;
  pause(key: PauseKey): Promise<void>;
  /** @returns whether there was such a pause */
  resume(key: PauseKey): Promise<boolean>;
  weigh(organisation: string, weight: number): Promise<void>;
  state(): Promise<State>;
}

export interface Claimed extends LeaseRef {
  readonly unit: number;
  readonly attempts: number;
  /** Epoch milliseconds. */
  readonly until: number;
}

/** What there is, as far as a person could see it. Times are epoch milliseconds. */
export interface State {
  /** In the order in which they were pushed. */
  readonly tasks: readonly TaskState[];
  readonly schedules: readonly ScheduleState[];
}

export interface TaskState {
  readonly id: string;
  readonly status: TaskStatus;
  readonly attempts: number;
  readonly unbegun: number;
  readonly reason: string | null;
  readonly modifiedAt: number;
  readonly queued: {
    readonly rank: number;
    readonly held: boolean;
    readonly limits: readonly string[] | null;
    /** Which of several keys that are full it waits at is not promised. */
    readonly parked: 'at a key' | 'by a pause' | null;
  } | null;
  readonly lease: {
    readonly leaseId: string | null;
    readonly via: string;
    readonly until: number;
    readonly renewedAt: number;
    readonly askedMs: number | null;
    readonly begun: boolean;
  } | null;
}

export function parkedAt(key: string | null): NonNullable<TaskState['queued']>['parked'] {
  if (key === null) return null;
  return key === '' ? 'by a pause' : 'at a key';
}

export interface ScheduleState {
  readonly hash: string;
  readonly enabled: boolean;
  readonly disabledReason: string | null;
  readonly schedule: string | null;
  readonly inherited: boolean;
  readonly deadlineAt: number | null;
  readonly intervalDeadline: number | null;
  readonly askedDeadline: number | null;
  readonly claimedUntil: number | null;
}
