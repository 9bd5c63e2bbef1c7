import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunningRota, StartOptions } from './cli/start.ts';
import { sentenceOf } from './config/unread-variables.ts';
import { type Config, startWithinSeconds, supervisorNatsAuth } from './config/config.ts';
import { startEmbedded } from './embedded/start.ts';
import { createBacklog, createDeadLetters } from './events/broker-choice.ts';
import { rotaClient } from './nats/client.ts';
import { operatorsFor } from './nats/operators.ts';
import { answers, connectNats } from './nats/connect.ts';
import { serveNats } from './nats/service.ts';
import { publishTaskEvents, createWake } from './nats/notifications.ts';
import { createObservation, startTraces } from './observation/observation.ts';
import { createOperations, type Operations } from './control/operations.ts';
import { startDatabaseClock } from './postgres/database-clock.ts';
import { createQueueInspection } from './queue/lists/inspection.ts';
import { createTaskLists } from './queue/lists/lists.ts';
import { requireMigrated, migrate } from './queue/schema/migrations.ts';
import { connectPools } from './postgres/pool.ts';
import { Retention } from './queue/maintenance/retention.ts';
import { createSchedules } from './queue/schedules/schedule-crud.ts';
import { createScheduleStore } from './queue/schedules/schedule-store.ts';
import { createTaskQueue } from './queue/task-queue.ts';
import { TracedQueue } from './queue/traced-queue.ts';
import { createRanking, createTaskRanking } from './ranking/pool.ts';
import { readRestAccess, type RestAccess } from './rest/access.ts';
import { createPageServer } from './page/server.ts';
import { type PageAccess, readPageAccess } from './page/session.ts';
import { createRestServer } from './rest/server.ts';
import { rankersOf, readCatalog } from './supervisor/catalog.ts';
import { createActorBackend } from './supervisor/requests.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { threadSettings } from './supervisor/thread-settings.ts';
import { emit } from './telemetry/events.ts';
import { createLog, type Logger } from './telemetry/log.ts';
import { logEvents } from './observation/logging.ts';
import { Shutdown } from './deadline.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A batch of a million takes half a second; a ranker that takes ten times that hangs. */
const rankDeadlineMs = 5_000;
/** Actors, requests and statements in flight get half of the remaining time each: later steps need some too. */
const share = (withinMs: number) => withinMs / 2;
const seconds = (ms: number) => ms / 1_000;

/** What every part of the start needs. */
interface Start {
  readonly config: Config;
  readonly options: StartOptions;
  /** Names this supervisor among others. */
  readonly instance: string;
  readonly log: Logger;
  /** Each part that was started adds how it ends. */
  readonly shutdown: Shutdown;
}

/**
 * Builds a whole Rota out of its parts and starts it: database first, actors last, so that an event always finds the queue.
 * `drain` goes the other way.
 *
 * @throws RotaError BAD_CONFIG, SCHEMA_UNKNOWN, DATABASE_UNAVAILABLE, SERVICE_UNAVAILABLE: nothing is left running.
 */
export async function startRota(config: Config, options: StartOptions): Promise<RunningRota> {
  const began = performance.now();
  const log = createLog({ format: config.SCHEDULER_LOGGING_FORMAT, debug: config.DEBUG });
  const endLog = logEvents(log);
  const shutdown = new Shutdown();
  const undo = async () => {
    const left = await shutdown.run();
    if (left.length > 0) log.warn({ left }, 'not ended in order');
  };
  for (const variable of config.unread) log.warn({ reason: sentenceOf(variable) }, 'environment variable is not read');
  try {
    const instance = randomBytes(4).toString('hex');
    const start = { config, options, instance, log, shutdown };
    const access = readRestAccess(config);
    const pageAccess = readPageAccess(config, { once: options.pageCode ?? null, tls: access.tls });
    shutdown.add('traces', await startTraces({ config, version, instance, log }));
    const schedulers = await readSchedulers(start);
    const database = await startDatabase(start);
    const queue = await startQueue(start, schedulers, database);
    const edges = await startEdges(start, schedulers, database, queue, access);
    const page = await startPage(start, database, queue, edges.operations, pageAccess);
    startActors(start, queue, edges.operations);
    emit({ name: 'supervisor.ready', ms: Math.round(performance.now() - began) });
    return {
      api: edges.api,
      nats: database.natsUrl,
      db: database.databaseUrl,
      page,
      async drain() {
        const from = performance.now();
        await undo();
        emit({ name: 'supervisor.drained', ms: Math.round(performance.now() - from) });
        endLog();
      },
    };
  } catch (error) {
    await undo();
    endLog();
    throw error;
  }
}

type ReadSchedulers = Awaited<ReturnType<typeof readSchedulers>>;
type Database = Awaited<ReturnType<typeof startDatabase>>;
type Queue = Awaited<ReturnType<typeof startQueue>>;

/** @throws RotaError BAD_CONFIG, before anything is started that would have to be ended */
async function readSchedulers({ config, options }: Start) {
  const catalog = await readCatalog(options.actors, { only: config.SCHEDULER_ACTORS });
  const all = catalog.actors.map(({ name, definition }) => ({
    id: name,
    type: definition.type,
    itemType: definition.itemType,
  }));
  const find = (id: string) => all.find((scheduler) => scheduler.id === id);
  return {
    catalog,
    all,
    find,
    ids: all.map(({ id }) => id),
    typeOf: (id: string) => find(id)?.type ?? id,
    rankers: rankersOf(catalog, config.rankers),
  };
}

/** Embedded services where none are configured, the migrated database, and its clock. */
async function startDatabase({ config, options, log, shutdown }: Start) {
  const data = resolve(options.data ?? '.rota/data');
  const embedded = await startEmbedded(config, { data, natsPort: options.natsPort, log });
  shutdown.add('embedded services', (withinMs) => embedded.stop(withinMs));
  const { databaseUrl, natsUrl } = embedded;
  const gracePeriodSeconds = config.SCHEDULER_PQ_GRACE_PERIOD;
  if (config.DATABASE_MIGRATION) {
    const report = (step: string) => log.info({ step }, 'database');
    await migrate(databaseUrl, { gracePeriodSeconds, report });
  } else await requireMigrated(databaseUrl);
  const pools = connectPools(databaseUrl, config.SCHEDULER_DB_CONNECTION_POOL_SIZE);
  shutdown.add('database', (withinMs) => pools.end(seconds(withinMs)));
  const { sql } = pools;
  const clock = await startDatabaseClock(sql);
  shutdown.add('clock', () => clock.stop());
  return {
    databaseUrl,
    natsUrl,
    pools,
    sql,
    clock,
    now: clock.shared.now,
    lists: createTaskLists(sql, pools.pages),
    inspection: createQueueInspection(sql),
    schedules: createSchedules(sql, pools.pages),
    scheduleStore: createScheduleStore(sql),
  };
}

/** The queue, with NATS and the ranking pool that it needs, and the supervisor of the actors that push into it. */
async function startQueue(
  { config, options, instance, log, shutdown }: Start,
  schedulers: ReadSchedulers,
  on: Database,
) {
  const { databaseUrl, natsUrl, pools, sql, clock, now, scheduleStore } = on;
  const connection = await connectNats({
    servers: natsUrl,
    name: `rota supervisor ${instance}`,
    auth: supervisorNatsAuth(config),
    retry: {
      told: (reason) => log.warn({ variable: 'NATS_URL', reason }, 'NATS does not answer, waiting for it'),
      signal: options.signal,
    },
  });
  shutdown.add('nats', () => connection.drain());
  const prefix = config.SCHEDULER_NATS_PREFIX;

  const ranking = createRanking({
    files: schedulers.catalog.rankers,
    threads: config.SCHEDULER_RANKING_THREADS,
    deadlineMs: rankDeadlineMs,
  });
  shutdown.add('ranking', () => ranking.close());
  const gracePeriodSeconds = config.SCHEDULER_PQ_GRACE_PERIOD;
  const taskRanking = await createTaskRanking({ ranking, rankers: schedulers.rankers, gracePeriodSeconds, now });

  const queue = createTaskQueue({
    databaseUrl,
    connections: pools.queueConnections,
    typeOf: schedulers.typeOf,
    ranking: taskRanking,
    gracePeriodSeconds,
    jitterSeconds: config.SCHEDULER_PQ_JITTER,
    maxAttempts: config.SCHEDULER_MAX_ATTEMPTS,
    retryMs: config.SCHEDULER_RETRY_SECONDS * 1_000,
    maxSize: config.SCHEDULER_PQ_MAXSIZE,
    leasesOfClient: config.SCHEDULER_CLIENT_LEASES,
    bounds: {
      claimsInFlight: config.SCHEDULER_CLAIMS_IN_FLIGHT,
      claimUnits: config.SCHEDULER_CLAIM_BATCH,
      writesInFlight: config.SCHEDULER_WRITES_IN_FLIGHT,
      pushTasks: config.SCHEDULER_PUSH_BATCH,
    },
    wake: createWake({ connection, prefix, instance }),
    heartbeatsArrive: () => answers(connection),
    onDefaultSchedules: (scheduler, command) => void supervisor.send(scheduler, command),
    onError: (error) => log.error({ err: error }, 'queue'),
  });
  shutdown.add('queue', (withinMs) => queue.drain(share(withinMs)));
  const tracedQueue = new TracedQueue(queue, schedulers.typeOf);
  shutdown.add('task events', publishTaskEvents({ connection, prefix, now }));
  const retention = new Retention({
    sql,
    days: config.SCHEDULER_RETENTION_DAYS,
    gracePeriodSeconds,
    onError: (error) => log.error({ err: error }, 'retention'),
  });
  shutdown.add('retention', () => retention.stop());

  const settings = threadSettings(config, natsUrl, clock.shared.memory);
  const backend = createActorBackend(tracedQueue, scheduleStore);
  const supervisor = new Supervisor({ catalog: schedulers.catalog, settings, backend });
  return { connection, prefix, ranking, taskRanking, queue, tracedQueue, retention, settings, supervisor };
}

/** Operators' commands, NATS, what others see of this supervisor, and REST, which listens once all that it shows is there. */
async function startEdges(
  { config, options, instance, log, shutdown }: Start,
  schedulers: ReadSchedulers,
  { databaseUrl, sql, now, lists, inspection, schedules, scheduleStore }: Database,
  { connection, prefix, ranking, taskRanking, queue, tracedQueue, settings, supervisor }: Queue,
  access: RestAccess,
) {
  const backlog = createBacklog(settings.events, connection);
  const operations = createOperations({
    instance,
    version,
    config,
    sql,
    now,
    queue,
    lists,
    inspection,
    schedules,
    scheduleStore,
    ranking: taskRanking,
    supervision: supervisor,
    backlog,
    deadLetters: createDeadLetters(settings.events, connection),
    natsVersion: () => connection.info?.version ?? null,
    schedulerIds: schedulers.ids,
    typeOf: schedulers.typeOf,
    stop: options.stop ?? null,
    log,
  });
  shutdown.add('operations', () => operations.stop());
  const nats = await serveNats({
    connection,
    prefix,
    instance,
    version,
    queue: tracedQueue,
    schedulers: schedulers.all,
    leaseMs: config.SCHEDULER_LEASE_SECONDS * 1_000,
    longestLeaseMs: config.SCHEDULER_MAX_LEASE_SECONDS * 1_000,
    ctl: operations.run,
    replyPrefixes: config.NATS_REPLY_PREFIXES.split(','),
    clients: {
      pops: config.NATS_CLIENT_POPS,
      filters: config.NATS_CLIENT_FILTERS,
      requests: config.NATS_CLIENT_REQUESTS,
    },
    log,
  });
  shutdown.add('nats service', (withinMs) => nats.drain(share(withinMs)));

  const observation = createObservation({
    version,
    config,
    sql,
    databaseUrl,
    scheduleStore,
    ranking,
    backlog,
    parked: () => queue.parked(),
    supervision: supervisor,
    natsConnected: () => nats.status().connected,
    streams: settings.events === null ? [] : schedulers.catalog.actors.flatMap(({ definition }) => definition.streams),
    schedulerIds: schedulers.ids,
  });
  shutdown.add('observation', () => observation.stop());

  const rest = await createRestServer({
    queue: tracedQueue,
    lists,
    inspection,
    schedules,
    operations,
    schedulers: {
      all: () => schedulers.all,
      find: schedulers.find,
      activity: (wanted) => lists.activity(wanted),
    },
    health: observation.health,
    metrics: observation.metrics.registry,
    log,
    now: () => new Date(now()),
    leaseMs: startWithinSeconds(config) * 1_000,
    access,
  });
  shutdown.add('rest', () => rest.close());
  const api = await rest.listen({ host: config.SCHEDULER_API_HOST, port: config.SCHEDULER_API_PORT });
  return { api, operations };
}

/** @returns its URL, with the code that logs in where there is one; null where no page is configured */
async function startPage(
  { options, instance, log, shutdown }: Start,
  { now }: Database,
  { connection, prefix }: Queue,
  operations: Operations,
  access: PageAccess | null,
): Promise<string | null> {
  if (access === null) return null;
  const page = await createPageServer({
    access,
    operatorsFor: operatorsFor(rotaClient(connection, { prefix }), { instance, run: operations.run }),
    audit: operations.audit,
    place: prefix,
    now,
    log,
  });
  shutdown.add('page', () => page.close());
  const url = await page.listen();
  return options.pageCode === undefined ? url : `${url}/login?once=${options.pageCode}`;
}

/** Everything that acts by itself, the actors last. */
function startActors({ shutdown }: Start, { queue, retention, supervisor }: Queue, operations: Operations): void {
  queue.start();
  operations.start();
  retention.start();
  supervisor.start();
  shutdown.add('actors', (withinMs) => supervisor.drain(share(withinMs)));
}
