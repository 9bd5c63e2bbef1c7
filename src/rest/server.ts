import fastify from 'fastify';
import { RotaError } from '../errors.ts';
import type { TaskLists } from '../queue/lists.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { Schedules } from '../queue/schedule-records.ts';
import type { Logger } from '../telemetry/log.ts';
import { spansAreFollowed } from '../telemetry/spans.ts';
import type { App } from './app.ts';
import { installBounds } from './bounds.ts';
import { sendError } from './errors.ts';
import { healthRoutes } from './health.ts';
import { metricsRoutes } from './metrics.ts';
import { installOpenApi } from './openapi.ts';
import type { Health, MetricsSource, Schedulers } from './ports.ts';
import { installValidation, parseQuery } from './request.ts';
import { installSpans } from './request-spans.ts';
import { installRouting } from './routing.ts';
import { schedulerRoutes } from './schedulers.ts';
import { scheduleRoutes } from './schedules.ts';
import { longestWaitSeconds } from './schemas.ts';
import { installToken } from './security.ts';
import { taskRoutes } from './tasks.ts';

export interface RestOptions {
  readonly queue: TaskQueue;
  readonly lists: TaskLists;
  readonly schedules: Schedules;
  readonly schedulers: Schedulers;
  readonly health: Health;
  readonly metrics: MetricsSource;
  readonly log: Logger;
  /** Bearer token; everybody may ask where absent. */
  readonly token?: string;
  /** Lease of a pop, the grace period: unmodified runners know no leases. */
  readonly leaseMs: number;
  /** The database's time: crons are counted from it. */
  readonly now: () => Date;
}

export interface RestServer {
  /** @returns the URL that it listens on. @throws RotaError BAD_CONFIG where it cannot */
  listen(address: { host: string; port: number }): Promise<string>;
  /** Answers what is under way, waiting pops with nothing, then ends. */
  close(): Promise<void>;
}

/** A push of a raw file's metadata is some kilobytes; a whole Task given back carries the OOI too. */
const bodyLimit = 2 * 1024 * 1024;
/** For a request to arrive whole: a client that trickles holds its own connection and nothing else. */
const requestTimeoutMs = 30_000;
/** Without a byte either way; longer than a pop may wait. */
const idleTimeoutMs = (longestWaitSeconds + 35) * 1_000;

/** mula's REST API (kat-contract §1) over the queue. */
export async function createRestServer(options: RestOptions): Promise<RestServer> {
  const closing = new AbortController();
  const app = await createApp(options, closing.signal);
  return {
    listen: ({ host, port }) =>
      app.listen({ host, port }).catch((cause: Error) => {
        const place = `REST cannot listen at ${host}:${port} (${cause.message})`;
        const advice = 'choose another address with SCHEDULER_API_HOST and SCHEDULER_API_PORT';
        throw new RotaError('BAD_CONFIG', `${place}: ${advice}`, { cause });
      }),
    async close() {
      closing.abort();
      await app.close();
    },
  };
}

async function createApp(options: RestOptions, closing: AbortSignal): Promise<App> {
  const { queue, lists, schedules, schedulers, health, metrics, log, ...rest } = options;
  const app: App = fastify({
    bodyLimit,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: idleTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1_000, querystringParser: parseQuery },
    exposeHeadRoutes: false,
  });
  // GET /tasks reads a body, as mula's does.
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  app.setErrorHandler((error, request, reply) =>
    sendError(error, reply, (unexpected) =>
      log.error({ err: unexpected, method: request.method, path: request.url }, 'request failed'),
    ),
  );
  // As mula says it: JSON has no charset parameter.
  app.addHook('onSend', (_request, reply, payload, done) => {
    const type = reply.getHeader('content-type');
    if (typeof type === 'string' && type.startsWith('application/json'))
      reply.header('content-type', 'application/json');
    done(null, payload);
  });
  // Four hooks at each request are a tenth of what a pop costs here.
  if (spansAreFollowed()) installSpans(app);
  installBounds(app, (error, reply) => void sendError(error, reply, () => undefined));
  installRouting(app);
  installValidation(app);
  if (rest.token !== undefined) installToken(app, rest.token);

  await installOpenApi(app, health.version);
  schedulerRoutes(app, { queue, schedulers, pop: { leaseMs: rest.leaseMs }, closing });
  taskRoutes(app, queue, lists, (act) =>
    log.info({ audit: act.what, task: act.task, from: act.from, count: 1 }, 'audit'),
  );
  scheduleRoutes(app, schedules, schedulers, rest.now);
  healthRoutes(app, health);
  metricsRoutes(app, metrics);
  return app;
}
