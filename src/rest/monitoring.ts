import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { inTrace } from '../mailbox/trace.ts';
import { type Span, startSpan } from '../telemetry/spans.ts';
import type { App, HealthSource, MetricsSource } from './app.ts';
import { sendJson } from './replies.ts';
import { healthAnswer, healthQuery, invalidAnswer, readyAnswer } from './schemas.ts';

/** `/`, `/health` (as mula's: always 200, with `healthy` in the body) and `/ready` (503 while Rota cannot serve). */
export function healthRoutes(app: App, health: HealthSource): void {
  app.get('/', { schema: { summary: 'Nothing', response: { 200: z.null() } } }, async (_request, reply) =>
    sendJson(reply, 'null'),
  );

  app.get(
    '/health',
    {
      schema: {
        summary: 'Whether Rota works, and what does not',
        querystring: healthQuery,
        response: { 200: healthAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const [problems, externals] = await Promise.all([
        health.problems(),
        request.query.externals === true ? health.externals() : {},
      ]);
      return reply.send({
        service: 'scheduler',
        healthy: problems.length === 0,
        version: health.version,
        additional:
          problems.length === 0 ? null : { reasons: problems.map(({ part, reason }) => `${part}: ${reason}`) },
        results: problems.map(({ part, reason }) => ({
          service: part,
          healthy: false,
          version: null,
          additional: reason,
          results: [],
          externals: {},
        })),
        externals,
      });
    },
  );

  app.get(
    '/ready',
    { schema: { summary: 'Whether Rota serves', response: { 200: readyAnswer, 503: readyAnswer } } },
    async (_request, reply) => {
      const reasons = [...(await health.notReady())];
      return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
    },
  );
}

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

/** Machines poll these every few seconds: their spans would only be noise. */
const unfollowed: ReadonlySet<string> = new Set(['/health', '/metrics']);
const nothing = '{"results":[]}';

/**
 * A span for every request in the requester's trace, named as FastAPI's instrumentation names it. A pop that hands out nothing
 * leaves no span: runners poll all day.
 */
export function installSpans(app: App): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  app.addHook('onRequest', (request, _reply, done) => {
    const route = request.routeOptions.url?.replaceAll(/:(\w+)/g, '{$1}');
    if (route !== undefined && !unfollowed.has(route)) {
      const { traceparent: parent = '' } = request.headers;
      const attributes = { 'http.request.method': request.method, 'http.route': route };
      const name = `${request.method} ${route}`;
      const span = startSpan(name, { kind: 'server', parent: String(parent), attributes });
      if (span !== null) spans.set(request, span);
    }
    done();
  });
  // Not earlier: reading the body would lose the context.
  app.addHook('preHandler', (request, _reply, done) => {
    const span = spans.get(request);
    if (span === undefined) done();
    else inTrace(span.trace, done);
  });
  app.addHook('onSend', async (request, _reply, payload) => {
    if (payload === nothing) spans.delete(request);
  });
  app.addHook('onResponse', async (request, reply) => {
    const span = spans.get(request);
    span?.set({ 'http.response.status_code': reply.statusCode });
    if (reply.statusCode >= 500) span?.fail({ code: String(reply.statusCode) });
    span?.end();
  });
}
