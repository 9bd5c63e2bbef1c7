import type { Config } from '../config/config.ts';
import { healthOfServices } from '../kat/http.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import { createDatabaseProbe } from '../queue/schema/diagnosis.ts';
import type { Logger } from '../telemetry/log.ts';
import { watchLoopDelay } from '../telemetry/loop-delay.ts';
import { createHealth, type Health } from './health.ts';
import { createMetrics } from './metrics.ts';
import { RecentFailures } from './rates.ts';
import { insidesOf, type ReadParts, readingsOf } from './readings.ts';

/** The parts of a supervisor that health and metrics read. */
interface ObservedParts extends ReadParts {
  readonly databaseUrl: string;
  readonly natsConnected: () => boolean;
  /** The streams that the actors consume; empty without a broker. */
  readonly streams: readonly EventStream[];
}

interface Observation {
  readonly health: Health;
  readonly metrics: ReturnType<typeof createMetrics>;
  stop(): Promise<void>;
}

/** Health and metrics of a supervisor. */
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
  const recent = new RecentFailures();
  const metrics = createMetrics(
    readingsOf(parts, {
      links: () => health.links(),
      loopDelay: () => loop.read(),
      recentFailures: () => recent.counts(),
    }),
  );
  return {
    health,
    metrics,
    async stop() {
      metrics.stop();
      recent.stop();
      loop.stop();
      health.stop();
      await probe.end();
    },
  };
}

/** Loads OpenTelemetry, only if traces are exported: nothing else imports it. @returns a function that ends it. */
export async function startTraces(parts: {
  readonly config: Config;
  readonly version: string;
  readonly instance: string;
  readonly log: Logger;
}): Promise<() => Promise<void>> {
  const endpoint = parts.config.SPAN_EXPORT_GRPC_ENDPOINT;
  if (endpoint === undefined) return async () => undefined;
  const { exportSpans } = await import('./otlp.ts');
  return exportSpans({ ...parts, endpoint });
}
