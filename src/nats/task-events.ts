import type { NatsConnection } from 'nats';
import { on, type TaskRef } from '../telemetry/events.ts';

/** What is published on `<prefix>.event.<scheduler>.<event>`; `event` is the status that the tasks now have. */
export interface TaskEvent {
  readonly scheduler: string;
  readonly event: string;
  readonly at: string;
  /** How they were handed out (dispatched), or why they changed (`lease-expired`, `ooi-gone`); absent where neither. */
  readonly via?: 'nats' | 'rest';
  readonly reason?: string;
  readonly tasks: readonly TaskRef[];
}

/** An id, an organisation's code and JSON around them take about 80 bytes; this is three times that. */
const bytesPerTask = 256;

/**
 * Publishes what happens to tasks, one message per set: for dashboards and for whoever waits on a task. At most once;
 * the record is in the database. A server drops what nobody listens to, so this costs a publish per set.
 *
 * @returns what ends it.
 */
export function publishTaskEvents(options: { connection: NatsConnection; prefix: string }): () => void {
  const { connection, prefix } = options;
  const publish = (event: Omit<TaskEvent, 'at'>) => {
    if (connection.isClosed()) return;
    const most = Math.max(1, Math.floor((connection.info?.max_payload ?? 1_048_576) / bytesPerTask));
    const at = new Date().toISOString();
    for (let from = 0; from < event.tasks.length; from += most) {
      const body: TaskEvent = { ...event, at, tasks: event.tasks.slice(from, from + most) };
      connection.publish(`${prefix}.event.${event.scheduler}.${event.event}`, JSON.stringify(body));
    }
  };
  const ends = [
    on('tasks.queued', ({ scheduler, tasks }) => publish({ scheduler, event: 'queued', tasks })),
    on('tasks.dispatched', ({ scheduler, tasks, via }) => publish({ scheduler, event: 'dispatched', via, tasks })),
    on('tasks.changed', ({ scheduler, status, reason, tasks }) =>
      publish({ scheduler, event: status, ...(reason === null ? {} : { reason }), tasks }),
    ),
  ];
  return () => {
    for (const end of ends) end();
  };
}
