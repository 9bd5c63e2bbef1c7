import type { Channel, Connection } from 'rabbitmq-client';
import type { Destination } from './delivery.ts';

export interface QueueDeclaration {
  readonly queue: string;
  readonly durable: true;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

export const durable = (queue: string): QueueDeclaration => ({ queue, durable: true });

/** Where events wait for their next attempt: a queue per delay, since RabbitMQ expires messages at the head only. */
export function retryQueue(queue: string, delayMs: number): QueueDeclaration {
  return {
    queue: `${queue}.retry.${delayMs / 1_000}`,
    durable: true,
    arguments: {
      'x-message-ttl': delayMs,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': aloneQueue(queue),
    },
  };
}

export const aloneQueue = (queue: string): string => `${queue}.alone`;
export const deadQueue = (queue: string): string => `${queue}.dead`;

/**
 * Declares a queue of KAT's producers. One that exists as non-durable is deleted and declared anew, as mula does; one
 * that exists with other arguments (an operator's limit, a quorum queue) is used as it is.
 */
export async function declareStream(connection: Connection, queue: string): Promise<void> {
  const declared = await refusalOf(connection, durable(queue));
  if (declared === null || !declared.includes("'durable'")) return;
  await onChannel(connection, (channel) => channel.queueDelete(queue));
  await onChannel(connection, (channel) => channel.queueDeclare(durable(queue)));
}

/** Null where the queue is now as declared, else RabbitMQ's text on how it differs. */
async function refusalOf(connection: Connection, declaration: QueueDeclaration): Promise<string | null> {
  try {
    await onChannel(connection, (channel) => channel.queueDeclare(declaration));
    return null;
  } catch (error) {
    if ((error as { code?: string }).code !== 'PRECONDITION_FAILED') throw error;
    return (error as Error).message;
  }
}

async function onChannel(connection: Connection, work: (channel: Channel) => Promise<unknown>): Promise<void> {
  const channel = await connection.acquire();
  try {
    await work(channel);
  } finally {
    await channel.close();
  }
}

/** The queue that an event is moved to. */
export function declarationOf(queue: string, to: Destination): QueueDeclaration {
  if (to.to === 'retry') return retryQueue(queue, to.delayMs);
  if (to.to === 'dead') return durable(deadQueue(queue));
  return durable(to.to === 'alone' ? aloneQueue(queue) : queue);
}
