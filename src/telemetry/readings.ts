import type { ServiceStatus } from '../kat/request.ts';
import type { LaneStatus } from '../mailbox/lane.ts';
import type { StreamBacklog } from '../events/backlog.ts';
import type { StreamStatus } from '../events/source.ts';
import type { QueuedOrganisation, StatusCounts } from '../queue/maintenance/counts.ts';
import type { RankingStatus } from '../ranking/ranking.ts';
import type { ActorStatus } from '../supervisor/supervision.ts';
import type { LoopDelay } from './loop-delay.ts';

/**
 * What is asked when Prometheus scrapes: cheap questions only, never a count of a whole table (#3826). Those that go to
 * the database are answered from roll-ups and the ends of indexes; without SCHEDULER_COLLECT_METRICS, with nothing.
 */
export interface Readings {
  /** Labels of mula's `app_settings_info`. */
  settings(): Readonly<Record<SettingsLabel, string | number>>;
  build(): { readonly version: string; readonly node: string };
  /** What this supervisor stands on, and whether it answers. */
  links(): Promise<Readonly<Record<'database' | 'nats', boolean>>>;
  /** From the database: tasks by scheduler and status. */
  totals(): Promise<ReadonlyMap<string, StatusCounts>>;
  /** From the database: queued tasks of the largest organisations. */
  organisations(): Promise<readonly QueuedOrganisation[]>;
  /** From the database: seconds for which the head of each scheduler's queue has waited. */
  heads(): Promise<ReadonlyMap<string, number>>;
  /** From the database: tasks that were popped over REST and not begun for too long, by scheduler. */
  unbegun(): Promise<ReadonlyMap<string, number>>;
  /** From the database: seconds since the oldest due deadline, by scheduler. */
  scheduleLags(): Promise<ReadonlyMap<string, number>>;
  /** From the broker: what waits there for each stream. */
  backlog(): Promise<readonly StreamBacklog[]>;
  /** Parked pops by scheduler. */
  waiters(): ReadonlyMap<string, number>;
  actors(): readonly ActorStatus[];
  /** The view from within each actor's thread that answers. */
  insides(): Promise<readonly Inside[]>;
  /** `main`, each actor's and `ranking-1`, …: those that answer. */
  threads(): Promise<readonly ThreadReading[]>;
  ranking(): RankingStatus;
}

export type SettingsLabel =
  | 'monitor_organisations_interval'
  | 'pq_grace_period'
  | 'pq_max_random_objects'
  | 'pq_maxsize';

export interface Inside {
  readonly actor: string;
  readonly lanes: readonly LaneStatus[];
  readonly streams: readonly StreamStatus[];
  readonly services: readonly ServiceStatus[];
  readonly heapBytes: number;
  readonly loopDelay: LoopDelay;
  readonly requests: { readonly pending: number };
}

export interface ThreadReading {
  readonly thread: string;
  readonly heapBytes: number;
  /** Null where nobody watches it: the ranking pool's threads do nothing but block. */
  readonly loopDelay: LoopDelay | null;
}
