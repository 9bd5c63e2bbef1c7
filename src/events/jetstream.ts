import { Events, type NatsConnection } from 'nats';
import type { NatsAuth } from '../config/config.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';
import { createIntake, type Intake, type Lane } from './intake.ts';
import { attemptsOf, forward, traceOf, whenDue } from './jetstream-message.ts';
import { SourceLink, sourceName } from './link.ts';
import { createPuller, type Puller } from './puller.ts';
import type { EventHandler, EventSource, StreamStatus } from './source.ts';
import { subjectsOf } from './subjects.ts';
import { pause, type Timing } from './timing.ts';

/** Opens a connection that then reconnects for ever: src/nats/connect.ts, handed in by whoever constructs. */
export type ConnectNats = (access: {
  readonly servers: string;
  readonly auth: NatsAuth;
  readonly name: string;
}) => Promise<NatsConnection>;

export interface JetstreamOptions {
  /** One or more URLs, comma-separated. */
  readonly servers: string;
  readonly auth: NatsAuth;
  readonly connect: ConnectNats;
  readonly prefix: string;
  readonly prefetch: number;
  readonly maxAttempts: number;
  readonly timing: Timing;
  readonly tell: (event: RotaEvent) => void;
  /** Epoch milliseconds, the same for all supervisors: one defers an event, another takes it up. */
  readonly now: () => number;
}

interface Consumption {
  readonly stream: EventStream;
  readonly intake: Intake;
  readonly pullers: readonly Puller[];
  readonly lastError: () => string | null;
}

/**
 * KAT's events from JetStream, with the same bodies and the same rules as from RabbitMQ (subjects.ts names the parts).
 * JetStream's own count of deliveries counts outages and reconnects too, so that attempts travel in a header here as well.
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

  const become = (next: boolean, message: string) => {
    if (online === next) return;
    online = next;
    if (next) return link.up();
    for (const { intake } of consumptions) {
      intake.interrupted('main', prefetch);
      intake.interrupted('alone', 1);
    }
    link.down(message);
  };

  /** The connection, made on first use and again should it ever be closed; the client itself reconnects for ever. */
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
    const lane = (lane: Lane, maxPending: number) =>
      createPuller({
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
            gone: closed.signal,
            acknowledge: async () => message.ack(),
            move: async (to) => forward(forwarding, stream, message, to, now()),
          }),
      });
    const retries = createPuller({
      ...shared,
      consumer: `${stream}_retry`,
      subject: names.retry(stream),
      // What waits here is not in anybody's hand.
      maxPending: -1,
      receive: async (message, forwarding) => {
        const dueInMs = whenDue(message) - now();
        if (dueInMs > 0) message.nak(dueInMs);
        else await forward(forwarding, stream, message, { to: 'alone', attempts: attemptsOf(message) }, now());
      },
    });
    const pullers = [lane('main', prefetch), lane('alone', 1), retries];
    consumptions.push({ stream, intake, pullers, lastError: () => lastError });
    for (const puller of pullers) runs.push(puller.run());
    return Promise.all(pullers.map((puller) => puller.settled));
  };

  return {
    consume: async (stream, handler) => {
      await start(stream, handler);
    },
    status: () =>
      consumptions.map(({ stream, intake, pullers, lastError }): StreamStatus => {
        const { inHand, done, retried, dead } = intake.counts;
        const source = sourceName('jetstream', stream);
        const connected = online === true && pullers.every((puller) => puller.consuming());
        return { source, stream, connected, inHand, done, retried, deadLettered: dead, lastError: lastError() };
      }),
    stop: async (withinMs) => {
      stopping.abort();
      const pullers = consumptions.flatMap((consumption) => consumption.pullers);
      for (const { intake } of consumptions) intake.close();
      for (const puller of pullers) puller.cancel();
      await Promise.all(consumptions.map(({ intake }) => intake.idle(withinMs)));
      const open = await connecting?.catch(() => null);
      closed.abort();
      for (const puller of pullers) puller.close();
      // Flushes acknowledgements; a server that does not answer does not hold up the end of the process.
      await Promise.race([open?.flush().catch(() => {}), pause(2_000)]);
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
