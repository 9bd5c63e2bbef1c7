import { on } from './events.ts';
import type { Logger } from './log.ts';
import { logOutages } from './outages.ts';

/**
 * Writes what Rota tells about itself as log lines: life-cycle steps at info, and at debug one line per task. Without debug
 * a set of tasks costs one look at the level. @returns what ends it.
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
      // Only the first time a step: after that an outage of its broker has ended, and is told so.
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
    on('supervisor.ready', ({ ms }) => log.info({ ms }, 'serving')),
    on('supervisor.drained', ({ ms }) => log.info({ ms }, 'drained')),
  ];
  return () => {
    for (const off of subscriptions) off();
  };
}

const tellDroppedEveryMs = 60_000;

/** The first at once, and from then on one line a minute: who sends them decides how many there are. */
function logDropped(log: Logger, now: () => number = () => performance.now()): () => void {
  let dropped = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  return on('request.dropped', ({ reason, subject, reply }) => {
    dropped += 1;
    if (now() - toldAt < tellDroppedEveryMs) return;
    log.warn({ reason, subject, reply, count: dropped }, 'requests dropped: their answer would go to no inbox');
    toldAt = now();
    dropped = 0;
  });
}
