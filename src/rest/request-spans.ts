import type { FastifyRequest } from 'fastify';
import { inTrace } from '../mailbox/trace.ts';
import { type Span, startSpan } from '../telemetry/spans.ts';
import type { App } from './app.ts';

/** Asked by machines every few seconds, and of no interest to anybody. */
const unfollowed: ReadonlySet<string> = new Set(['/health', '/metrics']);
const nothing = '{"results":[]}';

/**
 * Every request as a span of the requester's trace, named as FastAPI's instrumentation names it. A pop that hands out
 * nothing leaves no span: runners poll all day.
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
  // Not before: reading the body would lose the context.
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
