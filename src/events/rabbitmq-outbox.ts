import type { Channel, Connection, Envelope } from 'rabbitmq-client';
import type { QueueDeclaration } from './rabbitmq-queues.ts';

/** Publishes on a channel of its own with confirms. */
export interface Outbox {
  /** Resolves when RabbitMQ has stored the message in the queue, which is declared first: a queue that is missing would swallow it. */
  send(declaration: QueueDeclaration, envelope: Envelope, body: Buffer): Promise<void>;
}

export function createOutbox(connection: Connection): Outbox {
  /** Queues that exist with arguments of somebody else. */
  const foreign = new Set<string>();
  let opening: Promise<Channel> | null = null;

  const open = async () => {
    const channel = await connection.acquire({ emitErrorsFromChannel: true });
    // Whoever waits on this channel is rejected with the error already.
    channel.on('error', () => {});
    channel.once('close', () => (opening = null));
    await channel.confirmSelect();
    return channel;
  };
  const channelOf = () => {
    opening ??= open().catch((error: unknown) => {
      opening = null;
      throw error;
    });
    return opening;
  };

  return {
    send: async (declaration, envelope, body) => {
      const { queue } = declaration;
      try {
        await (await channelOf()).queueDeclare(foreign.has(queue) ? { queue, passive: true } : declaration);
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === 'NOT_FOUND') foreign.delete(queue);
        if (code !== 'PRECONDITION_FAILED') throw error;
        foreign.add(queue);
      }
      const channel = await channelOf();
      await channel.basicPublish({ ...envelope, exchange: '', routingKey: queue, durable: true }, body);
    },
  };
}
