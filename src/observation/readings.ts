import { type Config, startWithinSeconds } from '../config.ts';
import type { ThreadStatus } from '../control/thread-control.ts';
import type { Backlog, StreamBacklog } from '../events/backlog.ts';
import {
  type QueuedOrganisation,
  readHeadWaits,
  readQueuedOrganisations,
  readTaskTotals,
  readUnbegun,
  type StatusCounts,
} from '../queue/counts.ts';
import type { Sql } from '../queue/postgres.ts';
import type { ScheduleStore } from '../queue/schedules.ts';
import type { Ranking, RankingStatus } from '../ranking/ranking.ts';
import type { ActorStatus, Supervision } from '../supervisor/supervision.ts';
import type { LoopDelay } from '../telemetry/loop-delay.ts';

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

export const settingsLabels = [
  'monitor_organisations_interval',
  'pq_grace_period',
  'pq_max_random_objects',
  'pq_maxsize',
] as const;
type SettingsLabel = (typeof settingsLabels)[number];

/** The view from within an actor's thread. */
export interface Inside extends ThreadStatus {
  readonly actor: string;
}

export interface ThreadReading {
  readonly thread: string;
  readonly heapBytes: number;
  /** Null where nobody watches it: the ranking pool's threads do nothing but block. */
  readonly loopDelay: LoopDelay | null;
}

/** The parts of a supervisor that the readings look at, as main.ts has built them. */
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

/** Per scheduler at most, and one more for all others: what a dashboard can show, and Prometheus can keep. */
const largestOrganisations = 20;

export function readingsOf(
  parts: ReadParts,
  { links, loopDelay }: { readonly links: Readings['links']; readonly loopDelay: () => LoopDelay },
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
    unbegun: fromDatabase(() => readUnbegun(sql, schedulerIds, startWithinSeconds(config)), new Map()),
    scheduleLags: fromDatabase(
      async () =>
        new Map(await Promise.all(schedulerIds.map(async (id) => [id, await scheduleStore.scheduleLag(id)] as const))),
      new Map(),
    ),
    backlog: async () => (await parts.backlog?.look()) ?? [],
    waiters: () => parts.parked(),
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

/** Of the actors that answer: one that spins, or is between two threads, has nothing to show. */
export async function insidesOf(supervision: Supervision): Promise<readonly Inside[]> {
  const asked = supervision.status().map(async ({ name }): Promise<readonly Inside[]> => {
    const answer = await supervision.inspect(name);
    return answer.outcome === 'reply' && answer.result.ok ? [{ actor: name, ...answer.result.value }] : [];
  });
  return (await Promise.all(asked)).flat();
}

/**
 * Those who ask while an answer is under way share it. A scrape reads all its metrics at once, and two scrapes may come
 * together: what they show parts of is asked for once.
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
