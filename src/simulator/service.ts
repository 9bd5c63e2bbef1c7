import { setTimeout as delay } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';

/**
 * How a service misbehaves: `error` answers 503, `hang` accepts and answers nothing until the outage ends, `reset`
 * closes the connection.
 */
export type Outage = 'none' | 'error' | 'hang' | 'reset';

export interface SimulatedService {
  readonly url: string;
  /** Requests per `METHOD route`, refused ones included: `GET /v1/organisations/:organisation/plugins` → 3. */
  counts(): Readonly<Record<string, number>>;
  resetCounts(): void;
  outage(mode: Outage): void;
  /** Milliseconds before every answer. */
  latency(ms: number): void;
  close(): Promise<void>;
}

/** An answer's begin and end, by performance.now(): what of a measured time is the simulation's own. */
export type Answered = (began: number, ended: number) => void;

/** One HTTP service on a free loopback port: counts what it is asked, and fails on command. */
export async function startService(
  routes: (app: FastifyInstance) => void,
  answered?: Answered,
): Promise<SimulatedService> {
  // A closing double drops its connections: a client that hangs on it must not hold up the end of a test.
  const app = fastify({ forceCloseConnections: true, bodyLimit: 64 * 2 ** 20 });
  const counts = new Map<string, number>();
  let mode: Outage = 'none';
  let latencyMs = 0;
  let ended = Promise.withResolvers<void>();

  app.addHook('onRequest', async (request, reply) => {
    const route = `${request.method} ${request.routeOptions.url ?? request.url.split('?')[0]}`;
    counts.set(route, (counts.get(route) ?? 0) + 1);
    if (latencyMs > 0) await delay(latencyMs);
    if (mode === 'hang') await ended.promise;
    if (mode === 'error') return reply.code(503).send({ detail: 'Service Unavailable' });
    if (mode === 'reset') {
      reply.hijack();
      request.raw.destroy();
    }
  });
  if (answered !== undefined) {
    app.addHook('onResponse', async (_request, reply) => {
      const ended = performance.now();
      answered(ended - reply.elapsedTime, ended);
    });
  }
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  routes(app);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });

  const outage = (next: Outage) => {
    mode = next;
    ended.resolve();
    ended = Promise.withResolvers();
  };
  return {
    url,
    counts: () => Object.fromEntries(counts),
    resetCounts: () => counts.clear(),
    outage,
    latency: (ms) => {
      latencyMs = ms;
    },
    close: async () => {
      outage('none');
      await app.close();
    },
  };
}

/** FastAPI's answer to a query parameter that is missing or wrong. */
export function invalidQuery(name: string, type: string, msg: string, input: unknown = null) {
  return { detail: [{ type, loc: ['query', name], msg, input }] };
}

/** A query parameter that may be repeated. */
export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** The window that `offset` and `limit` cut out. */
export function page<T>(all: readonly T[], offset: number, limit: number): readonly T[] {
  return all.slice(offset, offset + limit);
}
