import type { NatsConnection } from 'nats';
import type { Wake } from '../queue/queue.ts';
import { on, type TaskRef } from '../telemetry/events.ts';

/**
 * Wakes on `<prefix>.wake.<scheduler>`. At most once: a lost message costs a waiter the few seconds to the safety-net poll.
 */
export function createWake(options: { connection: NatsConnection; prefix: string; instance: string }): Wake {
  const { connection, prefix, instance } = options;
  return {
    publish(scheduler, count) {
      if (connection.isClosed() || connection.isDraining()) return;
      connection.publish(`${prefix}.wake.${scheduler}`, JSON.stringify({ instance, count }));
    },
    subscribe(handler) {
      const subscription = connection.subscribe(`${prefix}.wake.*`, {
        callback: (error, message) => {
          if (error !== null) return;
          const woken = parse(message.string());
          if (woken === null || woken.instance === instance) return;
          handler(message.subject.slice(message.subject.lastIndexOf('.') + 1), woken.count);
        },
      });
      return () => subscription.unsubscribe();
    },
  };
}

/** Null for a message that is not of a supervisor. */
function parse(text: string): { instance: string; count: number } | null {
  try {
    const { instance, count } = JSON.parse(text) as { instance?: unknown; count?: unknown };
    return typeof instance === 'string' && Number.isSafeInteger(count) ? { instance, count: count as number } : null;
  } catch {
    return null;
  }
}

/**
 * What is published on `<prefix>.event.<scheduler>.<event>`; `event` is the status that the tasks now have, or `revoked`:
 * their permission ended while they are dispatched.
 */
export interface TaskEvent {
  readonly scheduler: string;
  readonly event: string;
  /** By the database's clock, as the times of the tasks are. */
  readonly at: string;
  /** How they were handed out (dispatched), or why they changed (`lease-expired`, `scan-level-too-low`); absent where neither. */
  readonly via?: 'nats' | 'rest';
  readonly reason?: string;
  readonly tasks: readonly TaskRef[];
}

/** Without it each claim, push and patch would write to NATS at once. Workers do not depend on these messages. */
const gatherMs = 5;

/**
 * Publishes what happens to tasks, one message per set, for dashboards and for clients that wait on a task. At most once; the
 * record is in the database. A server drops messages without subscribers, so this costs one publish per set.
 *
 * @returns what ends it.
 */
export function publishTaskEvents(options: {
  connection: NatsConnection;
  prefix: string;
  /** Epoch milliseconds. */
  now: () => number;
}): () => void {
  const { connection, prefix, now } = options;
  let gathered: TaskEvent[] = [];
  let timer: NodeJS.Timeout | null = null;
  const publish = (event: Omit<TaskEvent, 'at'>) => {
    gathered.push({ ...event, at: new Date(now()).toISOString() });
    timer ??= setTimeout(flush, gatherMs);
  };
  const flush = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    for (const event of gathered) send(event);
    gathered = [];
  };
  // Never throws: an error of an event listener would end the process. A single task that is too large is left out.
  const send = (event: TaskEvent) => {
    if (connection.isClosed() || connection.isDraining()) return;
    const body = JSON.stringify(event);
    if (Buffer.byteLength(body) <= (connection.info?.max_payload ?? 1_048_576)) {
      connection.publish(`${prefix}.event.${event.scheduler}.${event.event}`, body);
    } else if (event.tasks.length > 1) {
      const middle = event.tasks.length >> 1;
      send({ ...event, tasks: event.tasks.slice(0, middle) });
      send({ ...event, tasks: event.tasks.slice(middle) });
    }
  };
  const ends = [
    on('tasks.queued', ({ scheduler, tasks }) => publish({ scheduler, event: 'queued', tasks })),
    on('tasks.dispatched', ({ scheduler, tasks, via }) => publish({ scheduler, event: 'dispatched', via, tasks })),
    on('tasks.changed', ({ scheduler, status, reason, tasks }) =>
      publish({ scheduler, event: status, ...(reason === null ? {} : { reason }), tasks }),
    ),
    on('tasks.revoked', ({ scheduler, reason, tasks }) => publish({ scheduler, event: 'revoked', reason, tasks })),
  ];
  return () => {
    for (const end of ends) end();
    flush();
  };
}
