import { on } from './events.ts';
import type { Logger } from './log.ts';

/** Writes what Rota tells about itself as log lines: life-cycle steps at info, decisions at debug. @returns what ends it. */
export function logEvents(log: Logger): () => void {
  const subscriptions = [
    on('tasks.queued', (event) => log.debug({ scheduler: event.scheduler, count: event.tasks.length }, 'tasks queued')),
    on('tasks.refused', ({ scheduler, reason, count }) => log.debug({ scheduler, reason, count }, 'tasks refused')),
    on('tasks.dispatched', (event) =>
      log.debug({ scheduler: event.scheduler, count: event.tasks.length, via: event.via }, 'tasks dispatched'),
    ),
    on('tasks.changed', (event) =>
      log.debug(
        { scheduler: event.scheduler, status: event.status, reason: event.reason, count: event.tasks.length },
        'tasks changed',
      ),
    ),
    on('tasks.removed', ({ count }) => log.info({ count }, 'old tasks removed')),
    on('schedules.removed', ({ count }) => log.info({ count }, 'old schedules removed')),
    on('leases.expired', ({ requeued, failed, superseded }) =>
      log.info({ requeued, failed, superseded }, 'leases expired'),
    ),
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
    on('source.connected', ({ source }) => log.info({ source }, 'event source connected')),
    on('source.lost', ({ source, message }) =>
      log.warn({ source, reason: message }, 'event source lost: reconnecting'),
    ),
    on('circuit.changed', ({ service, state }) => log.warn({ service, state }, 'circuit changed')),
    on('supervisor.ready', ({ ms }) => log.info({ ms }, 'serving')),
    on('supervisor.drained', ({ ms }) => log.info({ ms }, 'drained')),
  ];
  return () => {
    for (const off of subscriptions) off();
  };
}
