import type { Config } from './config.ts';
import { readTaskTotals } from './queue/counts.ts';
import type { TaskLists } from './queue/lists.ts';
import type { Sql } from './queue/postgres.ts';
import type { ScheduleStore } from './queue/schedules.ts';
import type { Supervision } from './supervisor/supervision.ts';
import { createHealth, type Health } from './telemetry/health.ts';
import type { Logger } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';

/** The parts of a supervisor that health and metrics look at, as main.ts has built them. */
export interface ObservedParts {
  readonly version: string;
  readonly config: Config;
  readonly sql: Sql;
  readonly lists: TaskLists;
  readonly scheduleStore: ScheduleStore;
  readonly supervision: Supervision;
  readonly natsConnected: () => boolean;
  readonly schedulerIds: readonly string[];
}

export interface Observation {
  readonly health: Health;
  readonly metrics: ReturnType<typeof createMetrics>;
  stop(): void;
}

/** What others see of a supervisor: health, and the figures behind /metrics. */
export function createObservation(parts: ObservedParts): Observation {
  const { config, sql, lists, scheduleStore, supervision, schedulerIds } = parts;
  const health = createHealth({
    version: parts.version,
    database: () => sql`SELECT 1`,
    natsConnected: parts.natsConnected,
    actors: () => supervision.status(),
    services: { katalogus: config.KATALOGUS_API, octopoes: config.OCTOPOES_API, bytes: config.BYTES_API },
  });
  const metrics = createMetrics({
    queueDepths: async () => new Map([...(await lists.activity(schedulerIds))].map(([id, { queued }]) => [id, queued])),
    scheduleLags: async () =>
      new Map(await Promise.all(schedulerIds.map(async (id) => [id, await scheduleStore.scheduleLag(id)] as const))),
    taskTotals: () => readTaskTotals(sql, schedulerIds),
    actors: () => supervision.status().map(({ name, phase }) => ({ actor: name, up: phase === 'running' })),
    settings: {
      monitor_organisations_interval: 60,
      pq_grace_period: config.SCHEDULER_PQ_GRACE_PERIOD,
      pq_max_random_objects: 0,
      pq_maxsize: config.SCHEDULER_PQ_MAXSIZE,
    },
    collect: config.SCHEDULER_COLLECT_METRICS,
  });
  return {
    health,
    metrics,
    stop() {
      metrics.stop();
      health.stop();
    },
  };
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
