import type { AsyncMessage, Channel, Connection } from 'rabbitmq-client';
import { backOff, pause, type Timing } from './timing.ts';

/** A consumer of one queue that outlives its channels. */
export interface QueueConsumer {
  /** Consumes until `signal` is aborted; a new channel each time the old one is lost. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  connected(): boolean;
  /** Takes no new deliveries; those in hand can still be settled. */
  cancel(): Promise<void>;
  /** Gives what is still in hand back to the queue. */
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
  /** The channel is closed: the broker has taken back what was in hand on it. */
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
    // The queue was deleted, with what is in hand: start again on a new channel, which declares it.
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
