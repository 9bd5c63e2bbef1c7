import type { PauseKey } from '../../queue/maintenance/pauses.ts';
import type { Limit } from '../../queue/limits/view.ts';

/** What a task is about, as far as it decides who runs it when. Texts that repeat are one string for all. */
interface Subject {
  readonly organisation: string;
  readonly plugin: string | null;
  readonly image: string | null;
  readonly hash: string;
  /** Null also where no limit asks for it. */
  readonly ooi: string | null;
}

export interface QueuedTask extends Subject {
  readonly rank: number;
  /** Epoch milliseconds, as all times here. */
  readonly madeAt: number;
  readonly group: string | null;
}

export interface LeasedTask extends Subject {
  readonly scheduler: string;
  readonly madeAt: number;
  readonly claimedAt: number;
  /** Null where its worker has it in hand, and works on another one. */
  readonly startedAt: number | null;
  readonly group: string | null;
  readonly manual: boolean;
}

export interface DueLater extends Subject {
  readonly deadlineAt: number;
  readonly cron: string | null;
  /** The interval of its boefje, where that set the deadline; null: the grace period does, unless a cron does. */
  readonly intervalMs: number | null;
}

/** Seconds that a task takes: 21 quantiles, from the least to the most. */
export type Quantiles = readonly number[];

export interface ServiceTimes {
  readonly ended: number;
  readonly completed: number;
  readonly quantiles: Quantiles;
}

/** Tasks that no schedule makes, and how often they come. */
export interface Arrivals {
  readonly organisation: string;
  readonly plugin: string | null;
  readonly image: string | null;
  /** A person's. */
  readonly manual: boolean;
  readonly perSecond: number;
}

/** One scheduler. */
export interface SchedulerSnapshot {
  readonly name: string;
  /** In pop order. */
  readonly queued: readonly QueuedTask[];
  /** Of those that fall due in the days that are asked about. */
  readonly schedules: readonly DueLater[];
  /** By plug-in. */
  readonly service: ReadonlyMap<string, ServiceTimes>;
  /** Of all plug-ins; null where nothing ended lately. */
  readonly serviceOfAll: ServiceTimes | null;
  readonly arrivals: readonly Arrivals[];
  /** Tasks that workers worked on at once. */
  readonly atOnce: { readonly lately: number; readonly day: number };
}

/** What was in a database at one moment. */
export interface Snapshot {
  /** The database's time. */
  readonly at: number;
  readonly schedulers: readonly SchedulerSnapshot[];
  readonly leases: readonly LeasedTask[];
  readonly pauses: readonly PauseKey[];
  /** Those that hold, windows too. */
  readonly limits: readonly Limit[];
  /** Until when a key of a limit has no room by its rate. */
  readonly limitArrivals: ReadonlyMap<string, number>;
  /** By scheduler; those that are not 1. */
  readonly weights: readonly { readonly scheduler: string; readonly organisation: string; readonly weight: number }[];
  readonly virtualTimes: readonly {
    readonly scheduler: string;
    readonly image: string;
    readonly manual: boolean;
    readonly rank: number;
  }[];
  /** Normalizer tasks of each completed task, by boefje and normalizer. */
  readonly follows: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** What was not read, a sentence each. */
  readonly cut: readonly string[];
}
