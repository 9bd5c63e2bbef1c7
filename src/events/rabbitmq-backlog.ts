import { type Backlog, figuresOf, lookWithinMs } from './backlog.ts';
import { eventStreams } from './dead-letters.ts';
import { sourceName } from './link.ts';
import { type Broker, RabbitmqConnection } from './rabbitmq-driver.ts';
import { brokerFault } from './rabbitmq-fault.ts';
import { aloneQueue, deadQueue, retryQueue } from './rabbitmq-queues.ts';
import { defaultTiming } from './timing.ts';

/** What stands in the queues of the AMQP source: ready messages, as RabbitMQ answers a passive declaration. */
export function createRabbitmqBacklog(broker: Broker): Backlog {
  let opened: RabbitmqConnection | null = null;
  /** Why there is no connection; an outage is told by whatever waits on it. */
  let outage: string | null = null;
  const connect = (): RabbitmqConnection => {
    const connection = new RabbitmqConnection(broker, { connectionName: 'rota backlog', acquireTimeout: lookWithinMs });
    connection.on('error', (error: Error) => (outage = brokerFault(broker.url, error)));
    connection.on('connection', () => (outage = null));
    return connection;
  };

  /** Null where there is no such queue. A channel of its own: the refusal closes it. */
  const readyIn = async (queue: string): Promise<number | null> => {
    opened ??= connect();
    if (outage !== null) throw new Error(outage);
    const channel = await opened.acquire().catch((error: Error) => {
      throw new Error(outage ?? error.message);
    });
    try {
      return (await channel.queueDeclare({ queue, passive: true })).messageCount;
    } catch (error) {
      if ((error as { code?: string }).code === 'NOT_FOUND') return null;
      throw error;
    } finally {
      await channel.close();
    }
  };
  const sumOf = async (queues: readonly string[]): Promise<number> =>
    (await Promise.all(queues.map(readyIn))).reduce<number>((sum, ready) => sum + (ready ?? 0), 0);

  return {
    look: () =>
      Promise.all(
        eventStreams.map((stream) => {
          const retries = defaultTiming.retryMs.map((delayMs) => retryQueue(stream, delayMs).queue);
          const figures = Promise.all([
            readyIn(stream),
            sumOf([aloneQueue(stream), ...retries]),
            sumOf([deadQueue(stream)]),
          ]).then(([waiting, retrying, dead]) => ({ waiting, retrying, dead }));
          return figuresOf({ source: sourceName('rabbitmq', stream), stream }, 'RabbitMQ', figures);
        }),
      ),
    close: async () => opened?.unsafeDestroy(),
  };
}
