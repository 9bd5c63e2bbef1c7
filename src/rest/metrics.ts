import { z } from 'zod';
import type { App } from './app.ts';
import type { MetricsSource } from './ports.ts';

/** Prometheus' text format. */
export function metricsRoutes(app: App, source: MetricsSource): void {
  app.get(
    '/metrics',
    {
      schema: {
        summary: 'Metrics for Prometheus',
        response: { 200: { content: { 'text/plain': { schema: z.string() } } } },
      },
    },
    async (_request, reply) => reply.type('text/plain; charset=utf-8').send(await source.metrics()),
  );
}
