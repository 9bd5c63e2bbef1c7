import fastify from 'fastify';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { RotaError } from '../errors.ts';
import { excerpt } from '../printable.ts';
import type { Operations } from '../control/operations.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { TaskLists } from '../queue/lists/lists.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { Schedules } from '../queue/schedules/schedule-crud.ts';
import type { Logger } from '../telemetry/log.ts';
import { spansAreFollowed } from '../telemetry/spans.ts';
import { installSecurity, type RequestAudit, type RestAccess, tellWhoMayAsk } from './access.ts';
import type { App, HealthSource, MetricsSource, Schedulers } from './app.ts';
import { installBounds } from './bounds.ts';
import { budgets } from './budgets.ts';
import { HttpError, sendError } from './errors.ts';
import { installPageHeaders, loginRoutes } from './login.ts';
import { commandRoute } from './commands.ts';
import { healthRoutes, installSpans, metricsRoutes } from './monitoring.ts';
import { installDocs, installOpenApi } from './openapi.ts';
import { installOrigins } from './origins.ts';
import { installValidation, parseQuery } from './request.ts';
import { splitUrl } from './replies.ts';
import { schedulerRoutes } from './schedulers.ts';
import { scheduleRoutes } from './schedules.ts';
import { longestWaitSeconds } from './schemas.ts';
import { taskRoutes } from './tasks.ts';
import { weightRoutes } from './weights.ts';

export interface RestOptions {
  readonly queue: TaskQueue;
  readonly lists: Pick<TaskLists, 'tasks' | 'stats'>;
  readonly inspection: Pick<QueueInspection, 'standing' | 'start'>;
  readonly schedules: Omit<Schedules, 'search'>;
  readonly schedulers: Schedulers;
  readonly operations: Pick<Operations, 'run' | 'audit' | 'weights'>;
  readonly health: HealthSource;
  readonly metrics: MetricsSource;
  readonly log: Logger;
  readonly access: RestAccess;
  /** Lease of a pop: unmodified runners know no leases. */
  readonly leaseMs: number;
  /** The database's time: crons are counted from it. */
  readonly now: () => Date;
}

export interface RestServer {
  /** @returns the URL that it listens on. @throws RotaError BAD_CONFIG where it cannot */
  listen(address: { host: string; port: number }): Promise<string>;
  /** Answers the requests in flight, waiting pops with nothing, then ends. */
  close(): Promise<void>;
}

/** Without traffic in either direction; longer than a pop may wait. */
const idleTimeoutMs = (longestWaitSeconds + 35) * 1_000;

/** mula's REST API (kat-contract §1) over the queue. */
export async function createRestServer(options: RestOptions): Promise<RestServer> {
  const closing = new AbortController();
  const app = await createApp(options, closing.signal);
  return {
    async listen({ host, port }) {
      const url = await app.listen({ host, port }).catch((cause: Error) => {
        const place = `REST cannot listen at ${host}:${port} (${cause.message})`;
        const advice = 'choose another address with SCHEDULER_API_HOST and SCHEDULER_API_PORT';
        throw new RotaError('BAD_CONFIG', `${place}: ${advice}`, { cause });
      });
      tellWhoMayAsk(options.log, options.access.tokens, host, url);
      return url;
    },
    async close() {
      closing.abort();
      await app.close();
    },
  };
}

async function createApp(options: RestOptions, closing: AbortSignal): Promise<App> {
  const { queue, schedules, schedulers, health, metrics, log, access, operations, ...rest } = options;
  const { tokens, tls } = access;
  const app = fastify({
    ...(tls === null ? { http: bounded } : { https: { ...tls, ...bounded } }),
    bodyLimit: budgets.bodyBytes,
    requestTimeout: budgets.requestTimeoutMs,
    connectionTimeout: idleTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: budgets.textCharacters, querystringParser: parseQuery },
    exposeHeadRoutes: false,
    // Faults of the router, before any hook: its own answers would quote the whole path.
    frameworkErrors: (error, _request, reply) => void sendError(error, reply, () => undefined),
  }) as App;
  // GET /tasks reads a body, as mula's does.
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  app.setErrorHandler((error, request, reply) =>
    sendError(error, reply, (unexpected) =>
      log.error({ err: unexpected, method: request.method, path: excerpt(request.url) }, 'request failed'),
    ),
  );
  app.addHook('onSend', (_request, reply, payload, done) => {
    const type = reply.getHeader('content-type');
    if (typeof type === 'string' && type.startsWith('application/json')) reply.headers(headersOfJson);
    done(null, payload);
  });
  // Its four hooks cost a tenth of a pop.
  if (spansAreFollowed()) installSpans(app);
  installOrigins(app, access);
  installSecurity(app, tokens, rest.now);
  installRouting(app);
  installBounds(app, access.clientShare, (error, reply) => void sendError(error, reply, () => undefined));
  installValidation(app);

  await installOpenApi(app, health.version, tokens.length > 0);
  await app.register(async (pages) => {
    await installPageHeaders(pages, tls !== null);
    await installDocs(pages);
    if (tokens.length > 0) loginRoutes(pages, tokens, rest.now);
  });
  const audit: RequestAudit = (request, what, about) =>
    operations.audit(what, request.holder?.name ?? null, { ...about, from: request.ip, count: 1 });
  schedulerRoutes(app, { queue, schedulers, leaseMs: rest.leaseMs, closing });
  taskRoutes(app, { ...rest, queue, audit });
  scheduleRoutes(app, { store: schedules, schedulers, now: rest.now, audit });
  weightRoutes(app, operations.weights, audit);
  commandRoute(app, operations.run, access.clientShare);
  healthRoutes(app, health);
  metricsRoutes(app, metrics);
  return app;
}

/** As mula: JSON without a charset parameter. No browser takes it for a page, caches it, or shows it in a frame. */
const headersOfJson = {
  'content-type': 'application/json',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};
/** Node takes the longer of the two times for the whole request, its own for headers is 60 s, and it looks each 30 s. */
const bounded = {
  maxHeaderSize: budgets.headerBytes,
  headersTimeout: budgets.headersTimeoutMs,
  connectionsCheckingInterval: 5_000,
};

/** The lookbehind makes it linear: it reads each run of slashes once. Without it 16 000 slashes took 0.4 s. */
const trailingSlashes = /(?<!\/)\/+$/;

/**
 * The answers of mula's framework where no route matches: 405 for a known path, 307 to the path without its trailing slash, else
 * 404. Its `Allow` names the methods of the first route of the path only, and so does ours.
 */
export function installRouting(app: FastifyInstance): void {
  const known: { readonly segments: readonly string[]; readonly methods: string }[] = [];

  app.addHook('onRoute', ({ url, method, schema }) => {
    if (schema?.hide !== true) known.push({ segments: url.split('/'), methods: [method].flat().join(', ') });
  });

  app.addHook('onRequest', (request, reply, done) => {
    if (splitUrl(request.raw.url ?? '/').path.length > budgets.pathCharacters) {
      return done(new HttpError(414, `URI Too Long: a path has at most ${budgets.pathCharacters} characters`));
    }
    // Fastify allows an empty parameter: `/schedulers/` would be the scheduler without a name.
    const params = request.params as Readonly<Record<string, unknown>>;
    for (const name in params) if (params[name] === '') return reply.callNotFound();
    done();
  });

  const methodsOf = (path: string) => {
    const given = path.split('/');
    return known.find(({ segments }) => matches(segments, given))?.methods;
  };

  app.setNotFoundHandler((request, reply) => {
    const { path, query } = splitUrl(request.raw.url ?? '/');
    const methods = methodsOf(path);
    if (methods !== undefined) return notAllowed(reply, methods);
    const withoutSlash = path.replace(trailingSlashes, '');
    if (withoutSlash !== '' && withoutSlash !== path && methodsOf(withoutSlash) !== undefined) {
      return reply
        .code(307)
        .header('location', `${request.server.origins.of(request) ?? ''}${withoutSlash}${query}`)
        .send();
    }
    return reply.code(404).send({ detail: 'Not Found' });
  });
}

function matches(segments: readonly string[], given: readonly string[]): boolean {
  return (
    segments.length === given.length &&
    segments.every((segment, at) => (segment.startsWith(':') ? given[at] !== '' : segment === given[at]))
  );
}

function notAllowed(reply: FastifyReply, methods: string): FastifyReply {
  return reply.code(405).header('allow', methods).send({ detail: 'Method Not Allowed' });
}
