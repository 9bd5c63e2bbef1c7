import type { AsyncMessage, Channel, Connection, Envelope } from 'rabbitmq-client';
import type { Destination } from './intake.ts';
import { epitaph } from './intake.ts';
import { attemptsHeader, deadAtHeader, errorHeader } from './headers.ts';
import { backOff, pause, type Timing } from './timing.ts';

/** RabbitMQ's side of the event source: queues, a consumer that outlives its channels, confirmed publishing. */

export interface QueueDeclaration {
  readonly queue: string;
  readonly durable: true;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

export const durable = (queue: string): QueueDeclaration => ({ queue, durable: true });

/** Where events of a queue wait for their next attempt: a queue per delay, as RabbitMQ expires from the head only. */
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

/** Null where the queue is as declared now, else RabbitMQ's words about how it differs. */
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

/** The envelope and queue of an event on its way on: its own properties, what has become of it added. */
export function forwarding(
  queue: string,
  message: AsyncMessage,
  to: Destination,
  now: Date,
): { declaration: QueueDeclaration; envelope: Envelope } {
  const { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId } = message;
  const kept = { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId };
  const headers: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.headers ?? {}))
    if (!brokerHeaders.test(name)) headers[name] = value;
  if (to.attempts > 0 || to.to === 'dead') headers[attemptsHeader] = to.attempts;
  if (to.to === 'dead') {
    headers[errorHeader] = epitaph(to.failure);
    headers[deadAtHeader] = now.toISOString();
  }
  const present = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  return { declaration: declarationOf(queue, to), envelope: { ...present, headers } };
}

/** What RabbitMQ adds on expiry, and what would make it deliver copies elsewhere. */
const brokerHeaders = /^(?:x-death|x-(?:first|last)-death-\w+|CC|BCC)$/;

function declarationOf(queue: string, to: Destination): QueueDeclaration {
  if (to.to === 'retry') return retryQueue(queue, to.delayMs);
  if (to.to === 'dead') return durable(deadQueue(queue));
  return durable(to.to === 'alone' ? aloneQueue(queue) : queue);
}

/** The library parses bodies by their content type; what goes on, and what is parsed here, is bytes. */
export function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

export interface QueueConsumer {
  /** Consumes until `signal` is aborted; a new channel each time the old one is lost. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  connected(): boolean;
  /** No new deliveries; those in hand can still be settled. */
  cancel(): Promise<void>;
  /** What is still in hand goes back to the queue. */
  close(): Promise<void>;
}

export function createQueueConsumer(options: {
  readonly connection: Connection;
  readonly queue: string;
  readonly prefetch: number;
  readonly timing: Timing;
  prepare(): Promise<void>;
  receive(message: AsyncMessage, channel: Channel, gone: AbortSignal): void;
  onReady(): void;
  /** The channel is closed: what was in hand on it is the broker's again. */
  onLost(): void;
  onFailure(message: string): void;
}): QueueConsumer {
  const { connection, queue, prefetch, timing } = options;
  let current: { readonly channel: Channel; readonly tag: string } | null = null;

  /** One channel's life. */
  const consume = async (signal: AbortSignal): Promise<void> => {
    await options.prepare();
    const channel = await connection.acquire({ emitErrorsFromChannel: true });
    const gone = new AbortController();
    const closed = new Promise<void>((resolve) => {
      channel.once('close', () => {
        current = null;
        gone.abort();
        options.onLost();
        resolve();
      });
    });
    channel.on('error', (error: Error) => options.onFailure(error.message));
    // The queue was deleted: what is in hand cannot come back to it. Begin anew, and declare it.
    channel.once('basic.cancel', () => void channel.close());
    try {
      await channel.basicQos({ prefetchCount: prefetch });
      const { consumerTag } = await channel.basicConsume({ queue }, (message) =>
        options.receive(message, channel, gone.signal),
      );
      current = { channel, tag: consumerTag };
      if (signal.aborted) return;
      options.onReady();
      await closed;
    } finally {
      await channel.close();
    }
  };

  return {
    run: async (signal) => {
      for (let tries = 0; !signal.aborted; tries += 1) {
        const failed = await consume(signal).then(
          () => null,
          (error: Error) => error.message,
        );
        if (failed === null) tries = 0;
        else if (!signal.aborted) options.onFailure(failed);
        await pause(backOff(timing.reconnectMs, tries), signal);
      }
    },
    connected: () => current !== null,
    cancel: async () => {
      if (current !== null) await current.channel.basicCancel(current.tag).catch(() => {});
    },
    close: async () => {
      if (current !== null) await current.channel.close();
    },
  };
}
