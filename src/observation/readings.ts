import { type Config, startWithinSeconds } from '../config/config.ts';
import type { ThreadStatus } from '../supervisor/thread-control.ts';
import type { Backlog, StreamBacklog } from '../events/backlog.ts';
import {
  type QueuedOrganisation,
  readHeadWaits,
  readHeld,
  readQueuedOrganisations,
  readTaskTotals,
  readUnbegun,
  type StatusCounts,
} from '../queue/maintenance/counts.ts';
import { type LimitReading, readLimitsHeld } from '../queue/limits/view.ts';
import type { Sql } from '../postgres/pool.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { Ranking, RankingStatus } from '../ranking/pool.ts';
import type { ActorStatus, Supervision } from '../supervisor/supervision.ts';
import type { LoopDelay } from '../telemetry/loop-delay.ts';

/**
 * What a scrape reads. Only cheap queries, never a count of a whole table (#3826): those of the database read roll-ups and the
 * ends of indexes, and are empty without SCHEDULER_COLLECT_METRICS.
 */
export interface Readings {
  /** Labels of mula's `app_settings_info`. */
  settings(): Readonly<Record<SettingsLabel, string | number>>;
  build(): { readonly version: string; readonly node: string };
  /** Whether each dependency answers. */
  links(): Promise<Readonly<Record<'database' | 'nats', boolean>>>;
  /** From the database: tasks by scheduler and status. */
  totals(): Promise<ReadonlyMap<string, StatusCounts>>;
  /** From the database: queued tasks of the largest organisations. */
  organisations(): Promise<readonly QueuedOrganisation[]>;
  /** From the database: seconds for which the head of each scheduler's queue has waited. */
  heads(): Promise<ReadonlyMap<string, number>>;
  /** From the database: tasks that pauses and limits hold, by scheduler, counted to 10 000. */
  held(): Promise<ReadonlyMap<string, number>>;
  /** From the database: what limits and windows hold, by name. */
  limits(): Promise<readonly LimitReading[]>;
  /** From the database: tasks that were popped over REST and not begun for too long, by scheduler. */
  unbegun(): Promise<ReadonlyMap<string, number>>;
  /** From the database: seconds since the oldest due deadline, by scheduler. */
  scheduleLags(): Promise<ReadonlyMap<string, number>>;
  /** From the broker: the backlog of each stream. */
  backlog(): Promise<readonly StreamBacklog[]>;
  /** Parked pops by scheduler. */
  waiters(): ReadonlyMap<string, number>;
  /** Failures among the last 50 tasks of each boefje or normalizer. */
  recentFailures(): ReadonlyMap<string, number>;
  actors(): readonly ActorStatus[];
  /** Of each actor whose thread answers. */
  insides(): Promise<readonly Inside[]>;
  /** `main`, one per actor, `ranking-1`, …: those that answer. */
  threads(): Promise<readonly ThreadReading[]>;
  ranking(): RankingStatus;
}

export const settingsLabels = [
  'monitor_organisations_interval',
  'pq_grace_period',
  'pq_max_random_objects',
  'pq_maxsize',
] as const;
type SettingsLabel = (typeof settingsLabels)[number];

/** The status of an actor's thread, as the thread itself sees it. */
interface Inside extends ThreadStatus {
  readonly actor: string;
}

interface ThreadReading {
  readonly thread: string;
  readonly heapBytes: number;
  /** Null for threads of the ranking pool: they block by design. */
  readonly loopDelay: LoopDelay | null;
}

/** The parts of a supervisor that the readings query. */
export interface ReadParts {
  readonly version: string;
  readonly config: Config;
  readonly sql: Sql;
  readonly ranking: Ranking;
  /** Null where no event source is configured. */
  readonly backlog: Pick<Backlog, 'look'> | null;
  readonly scheduleStore: ScheduleStore;
  readonly supervision: Supervision;
  /** Parked pops by scheduler. */
  readonly parked: () => ReadonlyMap<string, number>;
  readonly schedulerIds: readonly string[];
}

/** Per scheduler, and one series more for all others: what a dashboard can show and Prometheus can store. */
const largestOrganisations = 20;

export function readingsOf(
  parts: ReadParts,
  {
    links,
    loopDelay,
    recentFailures,
  }: Pick<Readings, 'links' | 'recentFailures'> & { readonly loopDelay: () => LoopDelay },
): Readings {
  const { config, sql, scheduleStore, supervision, ranking, schedulerIds } = parts;
  const insides = shared(() => insidesOf(supervision));
  const fromDatabase =
    <T>(ask: () => Promise<T>, nothing: T): (() => Promise<T>) =>
    () =>
      config.SCHEDULER_COLLECT_METRICS ? ask() : Promise.resolve(nothing);
  return {
    settings: () => ({
      monitor_organisations_interval: 60,
      pq_grace_period: config.SCHEDULER_PQ_GRACE_PERIOD,
      pq_max_random_objects: 0,
      pq_maxsize: config.SCHEDULER_PQ_MAXSIZE,
    }),
    build: () => ({ version: parts.version, node: process.version }),
    links,
    totals: fromDatabase(() => readTaskTotals(sql, schedulerIds), new Map()),
    organisations: fromDatabase(() => readQueuedOrganisations(sql, schedulerIds, largestOrganisations), []),
    heads: fromDatabase(() => readHeadWaits(sql, schedulerIds), new Map()),
    held: fromDatabase(() => readHeld(sql, schedulerIds), new Map()),
    limits: fromDatabase(() => readLimitsHeld(sql), []),
    unbegun: fromDatabase(() => readUnbegun(sql, schedulerIds, startWithinSeconds(config)), new Map()),
    scheduleLags: fromDatabase(
      async () =>
        new Map(await Promise.all(schedulerIds.map(async (id) => [id, await scheduleStore.scheduleLag(id)] as const))),
      new Map(),
    ),
    backlog: async () => (await parts.backlog?.look()) ?? [],
    waiters: () => parts.parked(),
    recentFailures,
    actors: () => supervision.status(),
    insides,
    threads: async () => [
      { thread: 'main', heapBytes: process.memoryUsage().heapUsed, loopDelay: loopDelay() },
      ...(await insides()).map(({ actor, heapBytes, loopDelay }) => ({ thread: actor, heapBytes, loopDelay })),
      ...(await ranking.heaps()).map((heapBytes, n) => ({ thread: `ranking-${n + 1}`, heapBytes, loopDelay: null })),
    ],
    ranking: () => ranking.status(),
  };
}

/** Of the actors that answer: one that spins, or is being restarted, has none. */
export async function insidesOf(supervision: Supervision): Promise<readonly Inside[]> {
  const asked = supervision.status().map(async ({ name }): Promise<readonly Inside[]> => {
    const answer = await supervision.inspect(name);
    return answer.outcome === 'reply' && answer.result.ok ? [{ actor: name, ...answer.result.value }] : [];
  });
  return (await Promise.all(asked)).flat();
}

/**
 * Calls of `ask` that overlap share one answer: the metrics of a scrape are read at once, several from the same reading, and two
 * scrapes may overlap.
 */
export function shared<T>(ask: () => T | PromiseLike<T>): () => Promise<T> {
  let underWay: Promise<T> | null = null;
  return () => {
    underWay ??= Promise.resolve()
      .then(ask)
      .finally(() => (underWay = null));
    return underWay;
  };
}
