import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { on } from '../telemetry/events.ts';
import type { EventMetric, Sample, ScrapeMetric } from './metric.ts';
import { metricsOfEvents } from './metrics-of-events.ts';
import { metricsOfReadings } from './metrics-of-readings.ts';
import { type Readings, shared } from './readings.ts';

/**
 * Every metric of Rota, once: the registry, docs/metrics.md and the Grafana dashboard are built from it, and the alert rules
 * in docs/deploy checked against it.
 */
export const metricTable: readonly (EventMetric | ScrapeMetric)[] = [...metricsOfEvents, ...metricsOfReadings];

/** The registry behind /metrics: the table, and prom-client's own metrics of the process. */
export function createMetrics(readings: Readings): { registry: Registry; stop(): void } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const asked = new Map<string, () => Promise<unknown>>(
    Object.entries<() => unknown>({ ...readings }).map(([name, ask]) => [name, shared(ask)]),
  );
  const ends = metricTable.flatMap((metric) => {
    if ('on' in metric) return [followEvent(registry, metric)];
    readAtScrape(registry, metric, asked.get(metric.of)!);
    return [];
  });
  return {
    registry,
    stop() {
      for (const end of ends) end();
      registry.clear();
    },
  };
}

/** @returns a function that ends it. */
function followEvent(registry: Registry, { name, help, labels, on: event, ...metric }: EventMetric): () => void {
  const options = { name, help, labelNames: labels, registers: [registry] };
  if (metric.type === 'counter') {
    const counter = new Counter(options);
    for (const labelled of metric.zeroes ?? []) counter.inc(labelled, 0);
    return on(event, (happened) => {
      for (const [labelled, value] of metric.samples(happened).filter(isNumber)) counter.inc(labelled, value);
    });
  }
  const histogram = new Histogram({ ...options, buckets: [...(metric.buckets ?? [])] });
  return on(event, (happened) => {
    for (const [labelled, value] of metric.samples(happened).filter(isNumber)) histogram.observe(labelled, value);
  });
}

/** A reading that fails leaves its metric without samples; the other metrics are still needed then. */
function readAtScrape(registry: Registry, metric: ScrapeMetric, read: () => Promise<unknown>): void {
  const { name, help, labels, type } = metric;
  const collect = async () => {
    const samples: readonly Sample[] = await read()
      .then(metric.samples as (reading: unknown) => readonly Sample[])
      .catch(() => []);
    shown.reset();
    for (const [labelled, value] of samples.filter(isNumber)) shown.inc(labelled, value);
  };
  const options = { name, help, labelNames: labels, registers: [registry], collect };
  const shown = type === 'counter' ? new Counter(options) : new Gauge(options);
}

/**
 * A task created at `-infinity` has waited for an infinite time. prom-client throws at that, and an exception in a subscriber
 * of an event ends the process.
 */
function isNumber([, value]: Sample): boolean {
  return Number.isFinite(value);
}
