import { on } from '../telemetry/events.ts';
import { type Logger, onceAMinute } from '../telemetry/log.ts';

/**
 * Logs the events: life-cycle steps at info, and at debug one line per task. Without debug, a set of tasks costs one check of
 * the level. @returns a function that ends it.
 */
export function logEvents(log: Logger): () => void {
  const each = <T>(things: readonly T[], fieldsOf: (thing: T) => object, message: string) => {
    if (!log.isLevelEnabled('debug')) return;
    for (const thing of things) log.debug(fieldsOf(thing), message);
  };
  const sources = new Set<string>();
  const subscriptions = [
    on('tasks.queued', ({ scheduler, tasks }) =>
      each(tasks, ({ id, organisation }) => ({ scheduler, organisation, task: id }), 'task queued'),
    ),
    on('tasks.refused', ({ scheduler, reason, tasks = [] }) =>
      each(tasks, (task) => ({ scheduler, reason, ...task }), 'task declined'),
    ),
    on('tasks.dispatched', ({ scheduler, tasks, via }) =>
      each(tasks, ({ id, organisation }) => ({ scheduler, organisation, task: id, via }), 'task dispatched'),
    ),
    on('tasks.changed', ({ scheduler, status, reason, tasks }) =>
      each(tasks, ({ id, organisation }) => ({ scheduler, organisation, task: id, status, reason }), 'task changed'),
    ),
    on('tasks.revoked', ({ scheduler, reason, tasks }) =>
      each(tasks, ({ id, organisation }) => ({ scheduler, organisation, task: id, reason }), 'dispatched task revoked'),
    ),
    on('tasks.removed', ({ count }) => log.info({ count }, 'old tasks removed')),
    on('schedules.removed', ({ count }) => log.info({ count }, 'old schedules removed')),
    on('leases.expired', ({ requeued, failed, superseded }) =>
      log.info({ requeued, failed, superseded }, 'leases expired'),
    ),
    on('batch.ranked', ({ ranker, tasks, failure }) => {
      if (failure !== null) log.error({ ranker, count: tasks, reason: failure }, 'batch not ranked');
    }),
    on('actor.started', ({ actor, restarts }) => log.info({ actor, restarts }, 'actor started')),
    on('actor.stopped', ({ actor, code, message }) =>
      log[code === 'STOPPED' ? 'info' : 'warn']({ actor, code, reason: message }, 'actor stopped'),
    ),
    on('actor.gave-up', ({ actor, restarts, retryInMs }) =>
      log.error({ actor, restarts, retry_in_ms: retryInMs }, 'actor keeps failing: its scheduler is down'),
    ),
    on('event.dead-lettered', ({ stream, code, message }) =>
      log.error({ stream, code, reason: message }, 'event dead-lettered'),
    ),
    on('source.connected', ({ source }) => {
      // A life-cycle step only the first time: later, `outage ends` says it.
      log[sources.has(source) ? 'debug' : 'info']({ source }, 'event source connected');
      sources.add(source);
    }),
    on('source.lost', ({ source, message }) =>
      log.debug({ source, reason: message }, 'event source lost: reconnecting'),
    ),
    // A circuit opens and half-opens every few seconds in an outage.
    on('circuit.changed', ({ service, state }) => log.debug({ service, state }, 'circuit changed')),
    logOutages(log),
    on('error.uncaught', ({ kind, error }) =>
      log.error(
        { err: error },
        kind === 'rejection' ? 'error not caught: going on' : 'error not caught: ending in order',
      ),
    ),
    logDropped(log),
    logRefused(log),
    on('supervisor.ready', ({ ms }) => log.info({ ms }, 'serving')),
    on('supervisor.drained', ({ ms }) => log.info({ ms }, 'drained')),
  ];
  return () => {
    for (const off of subscriptions) off();
  };
}

/** One line a minute at most: the senders decide how many requests there are. */
function logDropped(log: Logger): () => void {
  const due = onceAMinute();
  return on('request.dropped', ({ reason, subject, reply }) => {
    const count = due();
    if (count !== null)
      log.warn({ reason, subject, reply, count }, 'requests dropped: their answer would go to no inbox');
  });
}

/** As above, for each edge and each kind of budget: one client that is refused hides no lack of all. */
function logRefused(log: Logger): () => void {
  const due = new Map<string, () => number | null>();
  return on('request.refused', ({ edge, of, client, reason }) => {
    const key = `${edge} ${of}`;
    const next = due.get(key) ?? onceAMinute();
    due.set(key, next);
    const count = next();
    if (count !== null) log.warn({ edge, of, client, reason, count }, 'requests refused: a budget is in use');
  });
}

interface Outage {
  readonly since: number;
  /** Connections that have failed and not answered since. */
  readonly open: Set<string>;
  failures: number;
  lastAt: number;
  loggedAt: number;
  reason: string;
}

/**
 * An outage ends after 4 s without a failure: a read-only database, or a service that fails one organisation, answers in
 * between.
 */
const quietMs = 4_000;
const logEveryMs = 60_000;
const checkEveryMs = 1_000;

/**
 * Logs the outage of each dependency: one line when it begins, one a minute with the number of failures, one when it ends. The
 * failures that it causes go to debug (src/telemetry/log.ts). @returns a function that ends it.
 */
function logOutages(log: Logger): () => void {
  const outages = new Map<string, Outage>();

  const failed = (part: string, link: string, reason: string): void => {
    const at = performance.now();
    const known = outages.get(part);
    if (known === undefined) {
      outages.set(part, { since: at, open: new Set([link]), failures: 1, lastAt: at, loggedAt: at, reason });
      log.warn({ part, reason }, 'outage begins');
      return;
    }
    known.open.add(link);
    Object.assign(known, { failures: known.failures + 1, lastAt: at, reason });
  };
  const answered = (part: string, link: string): void => void outages.get(part)?.open.delete(link);

  const check = (): void => {
    const at = performance.now();
    for (const [part, { since, open, failures, lastAt, loggedAt, reason }] of outages) {
      const seconds = Math.round((at - since) / 1_000);
      if (open.size === 0 && at - lastAt >= quietMs) {
        outages.delete(part);
        log.info({ part, seconds, failures }, 'outage ends');
      } else if (at - loggedAt >= logEveryMs) {
        outages.get(part)!.loggedAt = at;
        log.warn({ part, seconds, failures, reason }, 'outage goes on');
      }
    }
  };
  const timer = setInterval(check, checkEveryMs).unref();
  const ends = [
    on('part.failed', ({ part, link, reason }) => failed(part, link, reason)),
    on('part.answered', ({ part, link }) => answered(part, link)),
    on('source.lost', ({ source, message }) => failed(brokerOf(source), source, message)),
    on('source.connected', ({ source }) => answered(brokerOf(source), source)),
  ];
  return () => {
    clearInterval(timer);
    for (const end of ends) end();
  };
}

/** JetStream is down when NATS is: one outage, one line. */
function brokerOf(source: string): string {
  return source.startsWith('jetstream:') ? 'nats' : source.slice(0, source.indexOf(':'));
}
