import type { AsyncMessage, Channel, Connection, Envelope } from 'rabbitmq-client';
import { attemptsHeader, deadAtHeader, type Destination, errorLine, errorHeader } from './delivery.ts';
import { traceHeader } from '../mailbox/trace.ts';
import type { QueueDeclaration } from './rabbitmq-queues.ts';

/** Reads the events of RabbitMQ, and stores them where they go next. */

export function attemptsOf(message: AsyncMessage): number {
  const value: unknown = message.headers?.[attemptsHeader];
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}

export function traceOf(message: AsyncMessage): string {
  const value: unknown = message.headers?.[traceHeader];
  return typeof value === 'string' ? value : '';
}

/** The envelope of an event that is sent on: its own properties, and Rota's headers. */
export function forwarded(message: AsyncMessage, to: Destination, now: Date): Envelope {
  const { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId } = message;
  const kept = { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId };
  const headers: Record<string, unknown> = {};
  const ownHeaders = Object.entries(message.headers ?? {}).filter(([name]) => !brokerHeaders.test(name));
  for (const [name, value] of ownHeaders.filter(([, it]) => canBeWritten(it)).slice(0, mostHeaders))
    headers[name] = value;
  if (to.attempts > 0 || to.to === 'dead') headers[attemptsHeader] = to.attempts;
  if (to.to === 'dead') {
    headers[errorHeader] = errorLine(to.failure);
    headers[deadAtHeader] = now.toISOString();
  }
  const present = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  return { ...present, headers };
}

/** Headers that RabbitMQ adds on expiry, and those that would make it deliver copies elsewhere. */
const brokerHeaders = /^(?:x-death|x-(?:first|last)-death-\w+|CC|BCC)$/;

/** With names of 255 bytes and texts of `longestHeader` some 100 kB: headers must fit into one frame of 128 kB. */
const mostHeaders = 30;
/** In UTF-16 units, of up to 3 bytes. */
const longestHeader = 1_000;

/**
 * The driver cannot write every number that it reads: it takes NaN, large negative and unsigned ones for 64-bit integers, and
 * throws. An event that cannot be sent on would stay in hand for ever. KAT sends no headers.
 */
function canBeWritten(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= longestHeader;
  return typeof value === 'boolean' || (typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER);
}

/** Publishes on a channel of its own with confirms. */
interface Outbox {
  /** Resolves when RabbitMQ has stored the message. The queue is declared first: RabbitMQ drops messages for one that is absent. */
  send(declaration: QueueDeclaration, envelope: Envelope, body: Buffer): Promise<void>;
  /** Closes the channel, if one was opened. */
  close(): Promise<void>;
}

export function createOutbox(connection: Connection): Outbox {
  /** Queues that exist with other arguments than ours. */
  const foreign = new Set<string>();
  let opening: Promise<Channel> | null = null;

  const open = async () => {
    const channel = await connection.acquire({ emitErrorsFromChannel: true });
    // The calls that wait on this channel are rejected with the error already.
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
    close: async () => {
      const channel = await opening?.catch(() => null);
      await channel?.close();
    },
  };
}
