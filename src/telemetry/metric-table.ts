import type { EventMetric, ScrapeMetric } from './metric.ts';
import { metricsOfActors } from './metrics-of-actors.ts';
import { metricsOfEvents } from './metrics-of-events.ts';
import { metricsOfQueue } from './metrics-of-queue.ts';
import { metricsOfThreads } from './metrics-of-threads.ts';

/**
 * Every metric of Rota, once: the registry is built from it, docs/metrics.md written, and the dashboard and the alert rules
 * in docs/deploy checked against it.
 */
export const metricTable: readonly (EventMetric | ScrapeMetric)[] = [
  ...metricsOfEvents,
  ...metricsOfQueue,
  ...metricsOfActors,
  ...metricsOfThreads,
];
