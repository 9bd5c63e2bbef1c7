import type { NatsConnection } from 'nats';
import type { Wake } from '../queue/queue.ts';

/**
 * Wake on `<prefix>.wake.<scheduler>`. At most once: a lost message costs a waiter the few seconds to the safety-net poll.
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

/** Null for what no supervisor sent. */
function parse(text: string): { instance: string; count: number } | null {
  try {
    const { instance, count } = JSON.parse(text) as { instance?: unknown; count?: unknown };
    return typeof instance === 'string' && Number.isSafeInteger(count) ? { instance, count: count as number } : null;
  } catch {
    return null;
  }
}
