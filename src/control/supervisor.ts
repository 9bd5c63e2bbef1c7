import { z } from 'zod';
import type { EffectiveValue } from '../config/config.ts';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';
import type { Backlog } from '../events/backlog.ts';
import { excerptEach } from '../printable.ts';
import { FailureError, failureOf } from '../mailbox/failure.ts';
import { type Outcome, valueOf } from '../mailbox/ref.ts';
import type { SupervisorCommand } from '../protocol/commands.ts';
import type { ActorView, SourceView, SupervisorView, ThreadView } from '../protocol/operator-status.ts';
import type { Rates } from '../observation/rates.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { ActorStatus, Supervision } from '../supervisor/supervision.ts';
import type { ThreadStatus } from '../supervisor/thread-control.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { aged, auditIds, type CommandAudit, command, nothing, type SomeCommands } from './operator-command.ts';
import { listedText } from './paging.ts';
import { Recent } from './recent.ts';
import type { LoopDelay } from '../telemetry/loop-delay.ts';

export interface SupervisorPorts {
  readonly instance: string;
  readonly version: string;
  readonly startedAt: Date;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
  readonly supervision: Supervision;
  readonly schedulerIds: readonly string[];
  readonly inspection: Pick<QueueInspection, 'overview'>;
  readonly scheduleStore: Pick<ScheduleStore, 'scheduleLag'>;
  readonly rates: Pick<Rates, 'of'>;
  /** Of the main thread. */
  readonly loopDelay: () => LoopDelay;
  /** Null where no event source is configured. */
  readonly backlog: Pick<Backlog, 'look'> | null;
  /** Parked pops by scheduler. */
  parked(): ReadonlyMap<string, number>;
  readonly effectiveConfig: () => readonly EffectiveValue[];
  /** Ends this supervisor as a signal would; null where its process runs more than it. */
  readonly stop: (() => void) | null;
  readonly audit: CommandAudit;
}

const oneActor = z.strictObject({ actor: shortText(lengths.name) });

/** One supervisor and its actors: how they are, and what an operator does to them. */
export function supervisorCommands(ports: SupervisorPorts) {
  const { instance, supervision, audit } = ports;
  const figures = new Recent<Figures>();
  const backlog = new Recent<readonly SourceView[]>();
  const send = async (actor: string, message: SupervisorCommand) => {
    const sent = await supervision.send(actor, message);
    if (!sent.ok) throw new FailureError(sent.failure);
  };
  return {
    status: command('read', aged, async ({ max_age_seconds: seconds }) => {
      const maxAgeMs = seconds * 1_000;
      const [actors, { schedulers, unknown }, sources] = await Promise.all([
        Promise.all(
          supervision.status().map(async (status) => actorView(status, await supervision.inspect(status.name))),
        ),
        figures.of('', maxAgeMs, () => figuresOf(ports)).then((found) => schedulerViews(ports, found)),
        backlog.of('', maxAgeMs, async () => (await ports.backlog?.look()) ?? []),
      ]);
      return excerptEach({ ...processView(ports), actors, schedulers, sources, unknown }, longestText);
    }),

    config: command('read', nothing, async () => ({ instance, values: ports.effectiveConfig() })),

    drain: command('operate', nothing, async (_body, { by }) => {
      const { stop } = ports;
      if (stop === null) throw new RotaError('CONFLICT', `supervisor ${instance} is not its process's own: end that`);
      audit('drain', by, { instance });
      // The drain waits for requests in flight, so that this answer still goes out.
      setImmediate(stop);
      return { draining: instance };
    }),

    // The new thread imports the behavior anew: a fixed actor goes live while pops go on.
    'restart-actor': command('operate', oneActor, async ({ actor }, { by }) => {
      await supervision.restart(actor);
      audit('restart-actor', by, { actor });
      return { restarted: actor };
    }),

    // For chaos runs: the thread ends as in a crash, and the restart policy brings it back.
    'kill-actor': command('operate', oneActor, async ({ actor }, { by }) => {
      audit('kill-actor', by, { actor });
      await supervision.kill(actor);
      return { killed: actor };
    }),

    'log-level': command(
      'operate',
      oneActor.extend({ level: z.enum(['debug', 'info', 'warn', 'error']) }),
      async ({ actor, level }, { by }) => {
        valueOf(await supervision.setLogLevel(actor, level), `log-level of ${actor}`);
        audit('log-level', by, { actor, level });
        return { actor, level };
      },
    ),

    // A snapshot stops the thread for some seconds per half gigabyte.
    heap: command('operate', oneActor, async ({ actor }, { by }) => {
      const file = valueOf(await supervision.writeHeapSnapshot(actor), `heap snapshot of ${actor}`);
      audit('heap', by, { actor, file });
      return { actor, file };
    }),

    // After a boefje was enabled: look now, not at the next minute (#4191).
    look: command(
      'operate',
      z.object({ organisations: z.array(listedText(lengths.organisation)).optional() }).nullish(),
      async (body, { by }) => {
        const organisations = body?.organisations;
        await send('boefje', {
          kind: 'look-for-new-boefjes',
          ...(organisations === undefined ? {} : { organisations }),
        });
        audit('look', by, {
          organisations: organisations?.length ?? null,
          ...auditIds(organisations ?? [], organisations),
        });
        return { looking: organisations ?? 'all' };
      },
    ),

    reschedule: command('operate', oneActor, async ({ actor }, { by }) => {
      await send(actor, { kind: 'reschedule' });
      audit('reschedule', by, { actor });
      return { rescheduling: actor };
    }),
  } satisfies SomeCommands;
}

function processView({ instance, version, startedAt, now, loopDelay }: SupervisorPorts) {
  return {
    instance,
    version,
    now: new Date(now()).toISOString(),
    started_at: startedAt.toISOString(),
    pid: process.pid,
    rss_bytes: process.memoryUsage.rss(),
    loop_p99_ms: loopDelay().p99Ms,
  };
}

/** In UTF-16 units. An error may quote an event of 1 MB, and one answer must fit into one message of NATS: 1 MB. */
const longestText = 500;

/** Operators look during outages: the rest of the answer must not wait for the database. */
const databaseWithinMs = 2_000;

type Figures = Awaited<ReturnType<typeof askFigures>> | { readonly why: string };

/** Of the database: they are the same for all supervisors. */
async function figuresOf(ports: SupervisorPorts): Promise<Figures> {
  const late = `no answer within ${databaseWithinMs / 1_000} s`;
  return within(askFigures(ports), databaseWithinMs, 'DATABASE_UNAVAILABLE', late).catch((error: unknown) => ({
    why: failureOf(error).message,
  }));
}

async function askFigures({ schedulerIds, inspection, scheduleStore }: SupervisorPorts) {
  const [overviews, lags] = await Promise.all([
    inspection.overview(schedulerIds),
    Promise.all(schedulerIds.map((scheduler) => scheduleStore.scheduleLag(scheduler))),
  ]);
  return { overviews, lags };
}

function schedulerViews(ports: SupervisorPorts, figures: Figures): Pick<SupervisorView, 'schedulers' | 'unknown'> {
  const parked = ports.parked();
  const own = (scheduler: string) => ({ waiters: parked.get(scheduler) ?? 0, ...ports.rates.of(scheduler) });
  if ('why' in figures) {
    const none = { queued: null, held: null, leased: null, oldest_seconds: null, schedule_lag_seconds: null };
    const flow = {
      held_is_least: false,
      per_second: null,
      estimated_empty_at: null,
      asked_at: null,
      out_seconds_ago: null,
    };
    return {
      schedulers: ports.schedulerIds.map((id) => ({ id, ...none, ...flow, ...own(id) })),
      unknown: [{ part: 'database', why: figures.why }],
    };
  }
  const schedulers = figures.overviews.map(
    ({ scheduler, queued, held, heldIsLeast, leased, oldestSeconds, flow }, at) => ({
      id: scheduler,
      queued,
      held,
      held_is_least: heldIsLeast,
      leased,
      oldest_seconds: oldestSeconds,
      schedule_lag_seconds: figures.lags[at] ?? null,
      ...flow,
      ...own(scheduler),
    }),
  );
  return { schedulers, unknown: [] };
}

export function actorView(status: ActorStatus, inside: Outcome<ThreadStatus>): ActorView {
  const { phaseSeconds, retryAt, lastFailure, ...plain } = status;
  return {
    ...plain,
    phase_seconds: Math.round(phaseSeconds),
    retry_at: retryAt === null ? null : new Date(retryAt).toISOString(),
    last_failure: lastFailure === null ? null : { code: lastFailure.code, message: lastFailure.message },
    thread: inside.outcome === 'reply' && inside.result.ok ? threadView(inside.result.value) : null,
  };
}

function threadView({ lanes, streams, services, heapBytes, loopDelay, logLevel }: ThreadStatus): ThreadView {
  return {
    heap_bytes: heapBytes,
    loop_p99_ms: loopDelay.p99Ms,
    log_level: logLevel,
    mailbox: {
      depth: lanes.reduce((sum, lane) => sum + lane.queued + lane.waiting + lane.inHand, 0),
      oldest_ms: Math.max(0, ...lanes.map((lane) => lane.oldestMs)),
    },
    lanes: lanes.map(({ kind, queued, waiting, inHand, oldestMs, done, failed }) => {
      return { kind, queued, waiting, in_hand: inHand, oldest_ms: oldestMs, done, failed };
    }),
    streams: streams.map(({ stream, connected, inHand, done, retried, deadLettered, lastError }) => ({
      stream,
      connected,
      in_hand: inHand,
      done,
      retried,
      dead_lettered: deadLettered,
      last_error: lastError,
    })),
    services: services.map(({ service, circuit, openSince, inFlight, lastError }) => {
      const open_since = openSince === null ? null : new Date(openSince).toISOString();
      return { service, circuit, open_since, in_flight: inFlight, last_error: lastError };
    }),
  };
}
