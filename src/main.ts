import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunningRota, StartOptions } from './cli/run.ts';
import { sentenceOf } from './config-names.ts';
import { type Config, startWithinSeconds, supervisorNatsAuth } from './config.ts';
import { startEmbedded } from './embedded/start.ts';
import { createBacklog, createDeadLetters } from './events/create.ts';
import { answers } from './nats/link.ts';
import { connectNats } from './nats/connect.ts';
import { createCtlCommands } from './nats/ctl.ts';
import { serveNats } from './nats/service.ts';
import { publishTaskEvents } from './nats/task-events.ts';
import { createWake } from './nats/wake.ts';
import { createObservation, startTraces } from './observation.ts';
import { createOperations } from './operations.ts';
import { startDatabaseClock } from './postgres/database-clock.ts';
import { createTaskLists } from './queue/lists/lists.ts';
import { migrate, requireMigrated } from './queue/schema/migrations.ts';
import { connectPools } from './postgres/pool.ts';
import { Retention } from './queue/maintenance/retention.ts';
import { createSchedules } from './queue/schedules/schedule-crud.ts';
import { createScheduleStore } from './queue/schedules/schedule-store.ts';
import { createTaskQueue } from './queue/task-queue.ts';
import { TracedQueue } from './queue/traced-queue.ts';
import { createRanking } from './ranking/pool.ts';
import { createTaskRanking } from './ranking/task-ranking.ts';
import { readRestAccess } from './rest/access.ts';
import { createRestServer } from './rest/server.ts';
import { createActorBackend } from './supervisor/actor-backend.ts';
import { actorsDirectory, rankersOf, readCatalog } from './supervisor/catalog.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { threadSettings } from './supervisor/thread-settings.ts';
import { emit } from './telemetry/events.ts';
import { createLog } from './telemetry/log.ts';
import { logEvents } from './telemetry/logging.ts';
import { Unwinding } from './unwinding.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A batch of a million takes half a second; ten times that is a ranker that hangs. */
const rankDeadlineMs = 5_000;
/** Actors, requests and statements in flight have half of the time that is left each: what comes after needs some too. */
const share = (withinMs: number) => withinMs / 2;
const seconds = (ms: number) => ms / 1_000;

/**
 * Builds a whole Rota out of its parts and starts it: database first, actors last, so that an event never finds the
 * queue missing. `drain` goes the other way.
 *
 * @throws RotaError BAD_CONFIG, SCHEMA_UNKNOWN, DATABASE_UNAVAILABLE, SERVICE_UNAVAILABLE: nothing is left running.
 */
export async function startRota(config: Config, options: StartOptions): Promise<RunningRota> {
  const began = performance.now();
  const log = createLog({ format: config.SCHEDULER_LOGGING_FORMAT, debug: config.DEBUG });
  const instance = randomBytes(4).toString('hex');
  const undo = new Unwinding();
  const unwind = async () => {
    const left = await undo.run();
    if (left.length > 0) log.warn({ left }, 'not ended in order');
  };
  const endLog = logEvents(log);
  for (const variable of config.unread) log.warn({ reason: sentenceOf(variable) }, 'environment variable is not read');
  try {
    const access = readRestAccess(config);
    undo.push('traces', await startTraces({ config, version, instance, log }));
    const actors = options.actors ?? actorsDirectory;
    const catalog = await readCatalog(actors, { only: config.SCHEDULER_ACTORS });
    const schedulers = catalog.actors.map(({ name, definition }) => ({
      id: name,
      type: definition.type,
      itemType: definition.itemType,
    }));
    const schedulerIds = schedulers.map(({ id }) => id);
    const typeOf = (id: string) => schedulers.find((scheduler) => scheduler.id === id)?.type ?? id;
    const rankers = rankersOf(catalog, config.rankers);

    const data = resolve(options.data ?? '.rota/data');
    const embedded = await startEmbedded(config, { data, natsPort: options.natsPort, log });
    undo.push('embedded services', (withinMs) => embedded.stop(withinMs));
    const { databaseUrl, natsUrl } = embedded;

    const gracePeriodSeconds = config.SCHEDULER_PQ_GRACE_PERIOD;
    if (config.DATABASE_MIGRATION) {
      const report = (step: string) => log.info({ step }, 'database');
      await migrate(databaseUrl, { gracePeriodSeconds, report });
    } else await requireMigrated(databaseUrl);
    const pools = connectPools(databaseUrl, config.SCHEDULER_DB_CONNECTION_POOL_SIZE);
    undo.push('database', (withinMs) => pools.end(seconds(withinMs)));
    const { sql } = pools;
    const clock = await startDatabaseClock(sql);
    undo.push('clock', () => clock.stop());
    const now = () => clock.now();

    const connection = await connectNats({
      servers: natsUrl,
      name: `rota supervisor ${instance}`,
      auth: supervisorNatsAuth(config),
      patience: {
        told: (reason) => log.warn({ variable: 'NATS_URL', reason }, 'NATS does not answer, waiting for it'),
        signal: options.signal,
      },
    });
    undo.push('nats', () => connection.drain());
    const prefix = config.SCHEDULER_NATS_PREFIX;

    const ranking = createRanking({
      rankersDirectory: new URL('rankers/', actors),
      threads: config.SCHEDULER_RANKING_THREADS,
      deadlineMs: rankDeadlineMs,
    });
    undo.push('ranking', () => ranking.close());

    const taskRanking = await createTaskRanking({ ranking, rankers, gracePeriodSeconds, now });
    const queue = createTaskQueue({
      databaseUrl,
      connections: pools.queueConnections,
      typeOf,
      ranking: taskRanking,
      gracePeriodSeconds,
      jitterSeconds: config.SCHEDULER_PQ_JITTER,
      maxAttempts: config.SCHEDULER_MAX_ATTEMPTS,
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
    undo.push('queue', (withinMs) => queue.drain(share(withinMs)));
    const tracedQueue = new TracedQueue(queue, typeOf);
    undo.push('task events', publishTaskEvents({ connection, prefix, now }));

    const retention = new Retention({
      sql,
      days: config.SCHEDULER_RETENTION_DAYS,
      gracePeriodSeconds,
      onError: (error) => log.error({ err: error }, 'retention'),
    });
    undo.push('retention', () => retention.stop());

    const scheduleStore = createScheduleStore(sql);
    const lists = createTaskLists(sql, pools.pages);
    const schedules = createSchedules(sql, pools.pages);
    const settings = threadSettings(config, natsUrl, clock.shared.memory);
    const supervisor = new Supervisor({ catalog, settings, backend: createActorBackend(tracedQueue, scheduleStore) });

    const backlog = createBacklog(settings.events, connection);
    const ctl = createCtlCommands();
    const operations = createOperations({
      instance,
      version,
      config,
      sql,
      now,
      queue,
      lists,
      schedules,
      scheduleStore,
      ranking: taskRanking,
      supervision: supervisor,
      backlog,
      deadLetters: createDeadLetters(settings.events, connection),
      natsVersion: () => connection.info?.version ?? null,
      schedulerIds,
      typeOf,
      stop: options.stop ?? null,
      log,
    });
    undo.push('operations', () => operations.stop());
    for (const command of operations.commands)
      ctl.register(command.name, command.body, (body, caller) => command.run(body as never, caller));
    const nats = await serveNats({
      connection,
      prefix,
      instance,
      version,
      queue: tracedQueue,
      schedulers,
      leaseMs: config.SCHEDULER_LEASE_SECONDS * 1_000,
      longestLeaseMs: config.SCHEDULER_MAX_LEASE_SECONDS * 1_000,
      ctl,
      replyPrefixes: config.NATS_REPLY_PREFIXES.split(','),
      clients: {
        pops: config.NATS_CLIENT_POPS,
        filters: config.NATS_CLIENT_FILTERS,
        requests: config.NATS_CLIENT_REQUESTS,
      },
      log,
    });
    undo.push('nats service', (withinMs) => nats.drain(share(withinMs)));

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
      streams: settings.events === null ? [] : catalog.actors.flatMap(({ definition }) => definition.streams),
      schedulerIds,
    });
    undo.push('observation', () => observation.stop());
    const rest = await createRestServer({
      queue: tracedQueue,
      lists,
      schedules,
      schedulers: {
        all: () => schedulers,
        find: (id) => schedulers.find((scheduler) => scheduler.id === id),
        activity: (wanted) => lists.activity(wanted),
      },
      health: observation.health,
      metrics: observation.metrics.registry,
      log,
      now: () => new Date(now()),
      leaseMs: startWithinSeconds(config) * 1_000,
      access,
    });
    undo.push('rest', () => rest.close());
    const api = await rest.listen({ host: config.SCHEDULER_API_HOST, port: config.SCHEDULER_API_PORT });

    queue.start();
    operations.start();
    retention.start();
    supervisor.start();
    undo.push('actors', (withinMs) => supervisor.drain(share(withinMs)));
    emit({ name: 'supervisor.ready', ms: Math.round(performance.now() - began) });

    return {
      api,
      nats: natsUrl,
      db: databaseUrl,
      async drain() {
        const from = performance.now();
        await unwind();
        emit({ name: 'supervisor.drained', ms: Math.round(performance.now() - from) });
        endLog();
      },
    };
  } catch (error) {
    await unwind();
    endLog();
    throw error;
  }
}
