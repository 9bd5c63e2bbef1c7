import type { Backlog } from '../events/backlog.ts';
import { within } from '../deadline.ts';
import { excerpt } from '../excerpt.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { Outcome } from '../mailbox/ref.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { ActorStatus, Supervision } from '../supervisor/supervision.ts';
import { command, nothing, type OperatorCommand } from './operator-command.ts';
import type { Rates } from './rates.ts';
import type { ThreadStatus } from './thread-control.ts';

export interface Overseen {
  readonly instance: string;
  readonly version: string;
  readonly startedAt: Date;
  readonly supervision: Supervision;
  readonly schedulerIds: readonly string[];
  readonly inspection: QueueInspection;
  readonly scheduleStore: Pick<ScheduleStore, 'scheduleLag'>;
  readonly rates: Rates;
  /** Null where no event source is configured. */
  readonly backlog: Pick<Backlog, 'look'> | null;
  /** Parked pops by scheduler. */
  parked(): ReadonlyMap<string, number>;
}

/** `status`: this supervisor and its actors, the schedulers as the database has them, and what waits in the broker. */
export function overviewCommands(overseen: Overseen): readonly OperatorCommand[] {
  const { supervision } = overseen;
  return [
    command('status', nothing, async () => {
      const [actors, { schedulers, unknown }, sources] = await Promise.all([
        Promise.all(
          supervision.status().map(async (status) => actorOverview(status, await supervision.inspect(status.name))),
        ),
        schedulerOverviews(overseen),
        overseen.backlog?.look() ?? [],
      ]);
      return inShort({
        instance: overseen.instance,
        version: overseen.version,
        started_at: overseen.startedAt.toISOString(),
        pid: process.pid,
        rss_bytes: process.memoryUsage.rss(),
        actors,
        schedulers,
        sources,
        unknown,
      });
    }),
  ];
}

/** In UTF-16 units. What failed may quote what it failed for, an event of 1 MB, and one answer must fit into one message of NATS: 1 MB. */
const longestText = 500;

/** Its texts, cut. */
function inShort<T>(answer: T): T {
  return JSON.parse(
    JSON.stringify(answer, (_key, value: unknown) => (typeof value === 'string' ? excerpt(value, longestText) : value)),
  ) as T;
}

/** An operator looks because something is away: what else is known must not wait for it. */
const databaseWithinMs = 2_000;

/** `unknown`: what could not be asked, and why; its figures are null. */
async function schedulerOverviews(
  overseen: Overseen,
): Promise<{ readonly schedulers: readonly object[]; readonly unknown: readonly object[] }> {
  const { schedulerIds, inspection, scheduleStore, rates } = overseen;
  const parked = overseen.parked();
  const own = (scheduler: string) => ({
    waiters: parked.get(scheduler) ?? 0,
    in_per_second: rates.of(scheduler).inPerSecond,
    out_per_second: rates.of(scheduler).outPerSecond,
  });
  const asked = Promise.all([
    inspection.overview(schedulerIds),
    Promise.all(schedulerIds.map((scheduler) => scheduleStore.scheduleLag(scheduler))),
  ]);
  try {
    const [overviews, lags] = await within(asked, databaseWithinMs, 'DATABASE_UNAVAILABLE');
    const schedulers = overviews.map(({ scheduler, queued, held, leased, oldestSeconds }, at) => ({
      id: scheduler,
      queued,
      held,
      leased,
      oldest_seconds: oldestSeconds,
      schedule_lag_seconds: lags[at],
      ...own(scheduler),
    }));
    return { schedulers, unknown: [] };
  } catch (error) {
    const none = { queued: null, held: null, leased: null, oldest_seconds: null, schedule_lag_seconds: null };
    return {
      schedulers: schedulerIds.map((id) => ({ id, ...none, ...own(id) })),
      unknown: [{ part: 'database', why: failureOf(error).message }],
    };
  }
}

function actorOverview(status: ActorStatus, inside: Outcome<ThreadStatus>): object {
  const { name, phase, restarts, retryAt, lastFailure } = status;
  const thread = inside.outcome === 'reply' && inside.result.ok ? inside.result.value : null;
  return {
    name,
    phase,
    restarts,
    retry_at: retryAt === null ? null : new Date(retryAt).toISOString(),
    last_failure: lastFailure === null ? null : { code: lastFailure.code, message: lastFailure.message },
    // Null where the thread is gone or does not answer within 2 s: it may be busy.
    thread: thread === null ? null : threadOverview(thread),
  };
}

function threadOverview({ lanes, streams, services, heapBytes, logLevel }: ThreadStatus): object {
  return {
    heap_bytes: heapBytes,
    log_level: logLevel,
    mailbox: {
      depth: lanes.reduce((sum, lane) => sum + lane.queued + lane.waiting + lane.inHand, 0),
      oldest_ms: Math.max(0, ...lanes.map((lane) => lane.oldestMs)),
    },
    lanes: lanes.map(({ kind, queued, waiting, inHand, oldestMs, done, failed }) => ({
      kind,
      queued,
      waiting,
      in_hand: inHand,
      oldest_ms: oldestMs,
      done,
      failed,
    })),
    streams: streams.map(({ stream, connected, inHand, done, retried, deadLettered, lastError }) => ({
      stream,
      connected,
      in_hand: inHand,
      done,
      retried,
      dead_lettered: deadLettered,
      last_error: lastError,
    })),
    services: services.map(({ service, circuit, inFlight, lastError }) => ({
      service,
      circuit,
      in_flight: inFlight,
      last_error: lastError,
    })),
  };
}
