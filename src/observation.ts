import { type Config, startWithinSeconds } from './config.ts';
import { readHeadWaits, readQueuedOrganisations, readTaskTotals, readUnbegun } from './queue/maintenance/counts.ts';
import type { Sql } from './postgres/pool.ts';
import { createDatabaseProbe } from './queue/schema/diagnosis.ts';
import type { ScheduleStore } from './queue/schedules/schedule-store.ts';
import type { Backlog } from './events/backlog.ts';
import { healthOfServices } from './kat/health.ts';
import type { EventStream } from './protocol/scheduler.ts';
import type { Ranking } from './ranking/ranking.ts';
import type { Supervision } from './supervisor/supervision.ts';
import { createHealth, type Health } from './telemetry/health.ts';
import type { Logger } from './telemetry/log.ts';
import { watchLoopDelay } from './telemetry/loop-delay.ts';
import { createMetrics } from './telemetry/metrics.ts';
import type { Inside, Readings } from './telemetry/readings.ts';
import { shared } from './telemetry/shared-reading.ts';

/** Per scheduler at most, and one more for all others: what a dashboard can show, and Prometheus can keep. */
const largestOrganisations = 20;

/** The parts of a supervisor that health and metrics look at, as main.ts has built them. */
export interface ObservedParts {
  readonly version: string;
  readonly config: Config;
  readonly sql: Sql;
  readonly databaseUrl: string;
  readonly ranking: Ranking;
  /** Null where no event source is configured. */
  readonly backlog: Pick<Backlog, 'look'> | null;
  readonly scheduleStore: ScheduleStore;
  readonly supervision: Supervision;
  /** Parked pops by scheduler. */
  readonly parked: () => ReadonlyMap<string, number>;
  readonly natsConnected: () => boolean;
  readonly schedulerIds: readonly string[];
  /** That the actors consume, where a broker is configured. */
  readonly streams: readonly EventStream[];
}

export interface Observation {
  readonly health: Health;
  readonly metrics: ReturnType<typeof createMetrics>;
  stop(): Promise<void>;
}

/** What others see of a supervisor: health, and the figures behind /metrics. */
export function createObservation(parts: ObservedParts): Observation {
  const { config, supervision } = parts;
  const probe = createDatabaseProbe(parts.databaseUrl);
  const health = createHealth({
    version: parts.version,
    database: () => probe.ask(),
    natsConnected: parts.natsConnected,
    actors: () => supervision.status(),
    streams: async () => (await insidesOf(supervision)).flatMap(({ streams }) => streams),
    awaited: parts.streams,
    externals: () =>
      healthOfServices({ katalogus: config.KATALOGUS_API, octopoes: config.OCTOPOES_API, bytes: config.BYTES_API }),
  });
  const loop = watchLoopDelay();
  const metrics = createMetrics(readingsOf(parts, health, loop));
  return {
    health,
    metrics,
    async stop() {
      metrics.stop();
      loop.stop();
      health.stop();
      await probe.end();
    },
  };
}

function readingsOf(parts: ObservedParts, health: Health, loop: ReturnType<typeof watchLoopDelay>): Readings {
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
    links: () => health.links(),
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
      { thread: 'main', heapBytes: process.memoryUsage().heapUsed, loopDelay: loop.read() },
      ...(await insides()).map(({ actor, heapBytes, loopDelay }) => ({ thread: actor, heapBytes, loopDelay })),
      ...(await ranking.heaps()).map((heapBytes, n) => ({ thread: `ranking-${n + 1}`, heapBytes, loopDelay: null })),
    ],
    ranking: () => ranking.status(),
  };
}

/** Of the actors that answer: one that spins, or is between two threads, has nothing to show. */
async function insidesOf(supervision: Supervision): Promise<readonly Inside[]> {
  const asked = supervision.status().map(async ({ name }): Promise<readonly Inside[]> => {
    const answer = await supervision.inspect(name);
    return answer.outcome === 'reply' && answer.result.ok ? [{ actor: name, ...answer.result.value }] : [];
  });
  return (await Promise.all(asked)).flat();
}

/** OpenTelemetry is loaded here, where traces are exported, and nowhere else. @returns what ends it. */
export async function startTraces(parts: {
  readonly config: Config;
  readonly version: string;
  readonly instance: string;
  readonly log: Logger;
}): Promise<() => Promise<void>> {
  const endpoint = parts.config.SPAN_EXPORT_GRPC_ENDPOINT;
  if (endpoint === undefined) return async () => undefined;
  const { exportSpans } = await import('./telemetry/otlp.ts');
  return exportSpans({ ...parts, endpoint });
}
