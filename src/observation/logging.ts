import { on } from '../telemetry/events.ts';
import { type Logger, onceAMinute } from '../telemetry/log.ts';
import { watchOutages } from './outages.ts';

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
    // The failures that an outage causes go to debug (src/telemetry/log.ts).
    watchOutages(),
    on('outage.changed', ({ now, part, seconds, failures, reason }) => {
      if (now === 'began') log.warn({ part, reason }, 'outage begins');
      else if (now === 'lasts') log.warn({ part, seconds, failures, reason }, 'outage goes on');
      else log.info({ part, seconds, failures }, 'outage ends');
    }),
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
