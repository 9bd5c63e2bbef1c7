import { within } from '../deadline.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';
import type { EventLane } from './delivery.ts';
import { createIntake, type Intake } from './intake.ts';
import { createQueueConsumer, type QueueConsumer } from './rabbitmq-consumer.ts';
import { type Broker, brokerFault, RabbitmqConnection } from './rabbitmq-driver.ts';
import { attemptsOf, createOutbox, forwarded, traceOf } from './rabbitmq-message.ts';
import { aloneQueue, declarationOf, declareStream } from './rabbitmq-queues.ts';
import { type EventHandler, type EventSource, SourceLink, sourceName, type StreamStatus } from './source.ts';
import { closeWithinMs, type Timing } from './timing.ts';

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
