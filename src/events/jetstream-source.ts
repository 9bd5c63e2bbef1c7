import { Events, type NatsConnection } from 'nats';
import type { NatsAuth } from '../config/config.ts';
import { within } from '../deadline.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';
import type { EventLane } from './delivery.ts';
import { createIntake, type Intake } from './intake.ts';
import { createSubjectConsumer, type SubjectConsumer } from './jetstream-consumer.ts';
import { attemptsOf, forward, isCountable, traceOf, whenDue } from './jetstream-message.ts';
import { subjectsOf } from './jetstream-streams.ts';
import { type EventHandler, type EventSource, SourceLink, sourceName, type StreamStatus } from './source.ts';
import { closeWithinMs, type Timing } from './timing.ts';

/** Opens a connection that then reconnects for ever: src/nats/connect.ts, which the composition root hands in. */
export type ConnectNats = (access: {
  readonly servers: string;
  readonly auth: NatsAuth;
  readonly name: string;
}) => Promise<NatsConnection>;

interface JetstreamOptions {
  /** One or more URLs, comma-separated. */
  readonly servers: string;
  readonly auth: NatsAuth;
  readonly connect: ConnectNats;
  readonly prefix: string;
  readonly prefetch: number;
  readonly maxAttempts: number;
  readonly timing: Timing;
  readonly tell: (event: RotaEvent) => void;
  /** Epoch milliseconds, of a clock that all supervisors share: one defers an event, another takes it up. */
  readonly now: () => number;
}

interface Consumption {
  readonly stream: EventStream;
  readonly intake: Intake;
  readonly consumers: readonly SubjectConsumer[];
  readonly lastError: () => string | null;
}

/**
 * KAT's events from JetStream, with the same bodies and the same rules as from RabbitMQ (jetstream-streams.ts names the parts).
 * JetStream's count of deliveries includes outages and reconnects, so that attempts travel in a header here too.
 */
export function createJetstreamSource(options: JetstreamOptions): EventSource {
  const { servers, auth, prefix, prefetch, maxAttempts, timing, tell, now } = options;
  const names = subjectsOf(prefix);
  const stopping = new AbortController();
  const closed = new AbortController();
  const consumptions: Consumption[] = [];
  const runs: Promise<void>[] = [];
  let connecting: Promise<NatsConnection> | null = null;
  const link = new SourceLink('jetstream', tell);
  let online: boolean | null = null;
  let connectionError: string | null = null;

  const become = (next: boolean, message: string) => {
    connectionError = next ? null : message;
    if (online === next) return;
    online = next;
    if (next) return link.up();
    for (const { intake } of consumptions) {
      intake.interrupted('main', prefetch);
      intake.interrupted('alone', 1);
    }
    link.down(message);
  };

  /** The connection, opened on first use and again if it is ever closed; the client itself reconnects for ever. */
  const connection = (): Promise<NatsConnection> => {
    connecting ??= options.connect({ servers, auth, name: 'rota events' }).then(
      (opened) => {
        become(true, '');
        void opened.closed().then(() => (connecting = null));
        void watch(opened, become);
        return opened;
      },
      (error: Error) => {
        connecting = null;
        become(false, error.message);
        throw error;
      },
    );
    return connecting;
  };

  const start = (stream: EventStream, handler: EventHandler): Promise<unknown> => {
    let lastError: string | null = null;
    const note = (message: string) => {
      lastError = message;
    };
    link.carry(stream);
    const intake = createIntake({ stream, handler, maxAttempts, timing, tell, note });
    const declared = () => tell({ name: 'source.declared', stream });
    const shared = { connection, prefix, timing, note, declared, signal: stopping.signal };
    const lane = (lane: EventLane, maxPending: number) =>
      createSubjectConsumer({
        ...shared,
        consumer: lane === 'main' ? stream : `${stream}_alone`,
        subject: names[lane](stream),
        maxPending,
        receive: async (message, forwarding) =>
          intake.receive({
            lane,
            body: message.data,
            attempts: attemptsOf(message),
            redelivered: message.redelivered,
            trace: traceOf(message),
            countable: isCountable(message, forwarding.maxPayload()),
            gone: closed.signal,
            acknowledge: async () => message.ack(),
            move: async (to) => forward(forwarding, stream, message, to, now()),
          }),
      });
    const retries = createSubjectConsumer({
      ...shared,
      consumer: `${stream}_retry`,
      subject: names.retry(stream),
      // Events that wait here are not in hand: no bound.
      maxPending: -1,
      receive: async (message, forwarding) => {
        const dueInMs = whenDue(message) - now();
        if (dueInMs > 0) message.nak(dueInMs);
        else await forward(forwarding, stream, message, { to: 'alone', attempts: attemptsOf(message) }, now());
      },
    });
    const consumers = [lane('main', prefetch), lane('alone', 1), retries];
    consumptions.push({ stream, intake, consumers, lastError: () => lastError });
    for (const consumer of consumers) runs.push(consumer.run());
    return Promise.all(consumers.map((consumer) => consumer.settled));
  };

  return {
    consume: async (stream, handler) => {
      await start(stream, handler);
    },
    status: () =>
      consumptions.map(({ stream, intake, consumers, lastError }): StreamStatus => {
        const { inHand, done, retried, dead } = intake.counts;
        const source = sourceName('jetstream', stream);
        const connected = online === true && consumers.every((consumer) => consumer.consuming());
        // Why it is not connected is not what was wrong with an event before.
        const error = connectionError ?? lastError();
        return { source, stream, connected, inHand, done, retried, deadLettered: dead, lastError: error };
      }),
    stop: async (withinMs) => {
      stopping.abort();
      const consumers = consumptions.flatMap((consumption) => consumption.consumers);
      for (const { intake } of consumptions) intake.close();
      for (const consumer of consumers) consumer.cancel();
      await Promise.all(consumptions.map(({ intake }) => intake.idle(withinMs)));
      const open = await connecting?.catch(() => null);
      closed.abort();
      for (const consumer of consumers) consumer.close();
      // Sends the acknowledgements that are still buffered.
      if (open) await within(open.flush(), closeWithinMs).catch(() => {});
      await open?.close();
      await Promise.all(runs);
    },
  };
}

async function watch(connection: NatsConnection, become: (online: boolean, message: string) => void): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === Events.Disconnect) become(false, 'connection lost');
    if (type === Events.Reconnect) become(true, '');
  }
}
