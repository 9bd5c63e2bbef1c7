import { createHash } from 'node:crypto';
import type { Channel, SyncMessage } from 'rabbitmq-client';
import { RotaError } from '../errors.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import { type DeadLetter, type DeadLetters, eventStreams } from './dead-letters.ts';
import { attemptsHeader, deadAtHeader, errorHeader, traceHeader } from './headers.ts';
import { type Broker, RabbitmqConnection } from './rabbitmq-driver.ts';
import { createOutbox } from './rabbitmq-outbox.ts';
import { deadQueue, durable } from './rabbitmq-queues.ts';

/** So many of a queue are held while somebody looks for one among them. */
const mostHeld = 10_000;

/**
 * Dead letters of the AMQP source: what stands in `<queue>.dead`, named by a digest, since RabbitMQ gives no names. Whoever
 * looks takes messages out without acknowledging them; closing the channel puts them back in their order.
 */
export function createRabbitmqDeadLetters(broker: Broker): DeadLetters {
  let opened: RabbitmqConnection | null = null;
  const connection = () =>
    (opened ??= new RabbitmqConnection(broker, { connectionName: 'rota dead letters', acquireTimeout: 5_000 }));

  const withChannel = async <T>(work: (channel: Channel) => Promise<T>): Promise<T> => {
    const using = connection();
    // An outage is told by whatever waits on the connection.
    if (using.listenerCount('error') === 0) using.on('error', () => {});
    const channel = await using.acquire().catch((error: unknown) => {
      throw new RotaError('SERVICE_UNAVAILABLE', 'RabbitMQ cannot be reached: try again', { cause: error });
    });
    try {
      return await work(channel);
    } finally {
      await channel.close();
    }
  };

  async function* walk(channel: Channel, stream: EventStream, limit: number): AsyncGenerator<SyncMessage> {
    const queue = deadQueue(stream);
    const { messageCount } = await channel.queueDeclare(durable(queue));
    for (let count = 0; count < Math.min(limit, messageCount); count += 1) {
      const message = await channel.basicGet({ queue });
      if (message === undefined) return;
      yield message;
    }
  }

  return {
    list: (limit) =>
      withChannel(async (channel) => {
        const letters: DeadLetter[] = [];
        for (const stream of eventStreams) {
          for await (const message of walk(channel, stream, limit)) letters.push(letterOf(stream, message));
        }
        return letters;
      }),

    settle: (action, { stream, ids }) =>
      withChannel(async (channel) => {
        const outbox = createOutbox(connection());
        const wanted = ids === undefined ? null : new Set(ids);
        const settled: string[] = [];
        for (const name of eventStreams.filter((it) => stream === undefined || it === stream)) {
          for await (const message of walk(channel, name, mostHeld)) {
            const { id } = letterOf(name, message);
            if (wanted !== null && !wanted.has(id)) continue;
            if (action === 'requeue') {
              const trace: unknown = message.headers?.[traceHeader];
              const headers = typeof trace === 'string' ? { [traceHeader]: trace } : {};
              await outbox.send(durable(name), { headers }, message.body as Buffer);
            }
            channel.basicAck({ deliveryTag: message.deliveryTag });
            settled.push(id);
          }
        }
        return settled;
      }),

    close: async () => {
      opened?.unsafeDestroy();
    },
  };
}

function letterOf(stream: EventStream, message: SyncMessage): DeadLetter {
  const header = (name: string): unknown => message.headers?.[name];
  const at = header(deadAtHeader);
  const error = header(errorHeader);
  const body = (message.body as Buffer).toString();
  return {
    id: createHash('sha256')
      .update(`${stream} ${String(at)} ${body}`)
      .digest('hex')
      .slice(0, 16),
    stream,
    at: typeof at === 'string' ? at : null,
    error: typeof error === 'string' ? error : null,
    attempts: Number(header(attemptsHeader) ?? 0),
    body,
  };
}
