import type { AsyncMessage, Channel, Connection } from 'rabbitmq-client';
import { within } from '../deadline.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';
import type { EventLane } from './delivery.ts';
import { createIntake, type Intake } from './intake.ts';
import { type Broker, brokerFault, RabbitmqConnection } from './rabbitmq-driver.ts';
import { attemptsOf, createOutbox, forwarded, traceOf } from './rabbitmq-message.ts';
import { aloneQueue, declarationOf, declareStream } from './rabbitmq-queues.ts';
import { type EventHandler, type EventSource, SourceLink, sourceName, type StreamStatus } from './source.ts';
import { backOff, closeWithinMs, pause, type Timing } from './timing.ts';

interface RabbitmqOptions {
  readonly broker: Broker;
  readonly prefetch: number;
  readonly maxAttempts: number;
  readonly timing: Timing;
  readonly tell: (event: RotaEvent) => void;
  /** Epoch milliseconds: dates the end of a dead letter. */
  readonly now: () => number;
}

/**
 * The driver gives a connection up after four halves of it: 16 to 20 s, as with Postgres and NATS; its default of 60 s makes
 * that two minutes. `heartbeat` in the URL overrules it.
 */
const heartbeatSeconds = 8;

interface Consumption {
  readonly stream: EventStream;
  readonly intake: Intake;
  readonly consumers: readonly QueueConsumer[];
  readonly lastError: () => string | null;
}

/**
 * KAT's events from RabbitMQ: durable queues on the default exchange, named as the streams. Each has `<queue>.alone` (events
 * that failed or were in hand when a thread died, one at a time), `<queue>.retry.<seconds>` (they wait there, then go to
 * `.alone`) and `<queue>.dead`.
 */
export function createRabbitmqSource(options: RabbitmqOptions): EventSource {
  const { prefetch, maxAttempts, timing, tell, now } = options;
  const connection = new RabbitmqConnection(options.broker, {
    connectionName: 'rota',
    acquireTimeout: 5_000,
    heartbeat: heartbeatSeconds,
    retryLow: timing.reconnectMs[0],
    retryHigh: timing.reconnectMs[1],
  });
  const outbox = createOutbox(connection);
  const stopping = new AbortController();
  const consumptions: Consumption[] = [];
  const runs: Promise<void>[] = [];
  const link = new SourceLink('rabbitmq', tell);
  let connectionError: string | null = null;

  connection.on('connection', () => {
    connectionError = null;
    link.up();
  });
  connection.on('error', (error: Error) => {
    connectionError = brokerFault(options.broker.url, error);
    link.down(connectionError);
  });

  const start = (stream: EventStream, handler: EventHandler): Promise<void> => {
    let lastError: string | null = null;
    const note = (message: string) => {
      lastError = message;
    };
    link.carry(stream);
    const intake = createIntake({ stream, handler, maxAttempts, timing, tell, note });
    const consumerOf = (lane: EventLane, settled: () => void) => {
      const queue = lane === 'main' ? stream : aloneQueue(stream);
      const inHand = lane === 'main' ? prefetch : 1;
      return createQueueConsumer({
        connection,
        queue,
        prefetch: inHand,
        timing,
        prepare: async () => {
          await declareStream(connection, queue);
          if (lane === 'main') tell({ name: 'source.declared', stream });
        },
        onReady: settled,
        onLost: () => intake.interrupted(lane, inHand),
        onFailure: (message) => {
          note(message);
          settled();
        },
        receive: (message, channel, gone) => {
          const body = message.body as Buffer;
          void intake.receive({
            lane,
            body,
            attempts: attemptsOf(message),
            redelivered: message.redelivered ?? false,
            trace: traceOf(message),
            countable: true,
            gone,
            acknowledge: async () => channel.basicAck({ deliveryTag: message.deliveryTag }),
            move: async (to) => {
              // RabbitMQ moves what has waited to `.alone`, which must exist by then.
              if (to.to === 'retry') await declareStream(connection, aloneQueue(stream));
              await outbox.send(declarationOf(stream, to), forwarded(message, to, new Date(now())), body);
              channel.basicAck({ deliveryTag: message.deliveryTag });
            },
          });
        },
      });
    };
    const lanes = (['main', 'alone'] as const).map((lane) => {
      const settled = Promise.withResolvers<void>();
      const consumer = consumerOf(lane, settled.resolve);
      runs.push(consumer.run(stopping.signal));
      return { consumer, settled: settled.promise };
    });
    const consumers = lanes.map((lane) => lane.consumer);
    consumptions.push({ stream, intake, consumers, lastError: () => lastError });
    return Promise.all(lanes.map((lane) => lane.settled)).then(() => {});
  };

  return {
    consume: async (stream, handler) => {
      const lost = new Promise<void>((resolve) => connection.once('error', () => resolve()));
      await Promise.race([start(stream, handler), lost]);
    },
    status: () =>
      consumptions.map(({ stream, intake, consumers, lastError }): StreamStatus => {
        const { inHand, done, retried, dead } = intake.counts;
        const connected = consumers.every((consumer) => consumer.connected());
        return {
          source: sourceName('rabbitmq', stream),
          stream,
          connected,
          inHand,
          done,
          retried,
          deadLettered: dead,
          lastError: connectionError ?? lastError(),
        };
      }),
    stop: async (withinMs) => {
      stopping.abort();
      for (const { intake } of consumptions) intake.close();
      await Promise.all(consumptions.flatMap(({ consumers }) => consumers.map((consumer) => consumer.cancel())));
      await Promise.all(consumptions.map(({ intake }) => intake.idle(withinMs)));
      // A close waits until RabbitMQ has read the channel's acknowledgements; events without one go back to their queue.
      const closed = Promise.all(
        consumptions.flatMap(({ consumers }) => consumers.map((consumer) => consumer.close())),
      );
      await within(closed, closeWithinMs).catch(() => {});
      connection.unsafeDestroy();
      await Promise.all(runs);
    },
  };
}

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
