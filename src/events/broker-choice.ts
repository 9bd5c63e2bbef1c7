import type { NatsConnection } from 'nats';
import type { NatsAuth } from '../config/config.ts';
import { emit, type RotaEvent } from '../telemetry/events.ts';
import type { TlsMaterial } from '../tls-files.ts';
import { type Backlog, createJetstreamBacklog, createRabbitmqBacklog } from './backlog.ts';
import { createJetstreamDeadLetters, createRabbitmqDeadLetters, type DeadLetters } from './dead-letters.ts';
import { type ConnectNats, createJetstreamSource } from './jetstream-source.ts';
import type { Broker } from './rabbitmq-driver.ts';
import { createRabbitmqSource } from './rabbitmq-source.ts';
import type { EventSource } from './source.ts';
import { defaultTiming, type Timing } from './timing.ts';

export interface EventSettings {
  readonly kind: 'amqp' | 'jetstream';
  readonly amqpUrl: string | null;
  /** Any file in it requires TLS of RabbitMQ, also with an `amqp:` URL. */
  readonly amqpTls?: TlsMaterial;
  /** One or more URLs, comma-separated. */
  readonly natsServers: string | null;
  readonly natsAuth: NatsAuth;
  /** Subject prefix, SCHEDULER_NATS_PREFIX. */
  readonly prefix: string;
  /** Events in hand per stream. */
  readonly prefetch: number;
  /** Failed attempts at one event before it is dead-lettered. */
  readonly maxAttempts: number;
}

/** The source that the settings name; one that idles without settings or without the broker's URL. */
export function createEventSource(
  settings: EventSettings | null,
  options: {
    readonly connectNats: ConnectNats;
    /** The database's time, in epoch milliseconds: an event that one supervisor defers may be taken up by another. */
    readonly now: () => number;
    readonly timing?: Partial<Timing>;
    readonly tell?: (event: RotaEvent) => void;
  },
): EventSource {
  const timing = { ...defaultTiming, ...options.timing };
  const { tell = emit, now } = options;
  const broker = brokerOf(settings);
  if (settings?.kind === 'amqp' && broker !== null) {
    const { prefetch, maxAttempts } = settings;
    return createRabbitmqSource({ broker, prefetch, maxAttempts, timing, tell, now });
  }
  if (settings?.kind === 'jetstream' && settings.natsServers !== null) {
    const { natsServers: servers, natsAuth, prefix, prefetch, maxAttempts } = settings;
    const connect = options.connectNats;
    return createJetstreamSource({
      servers,
      auth: natsAuth,
      connect,
      prefix,
      prefetch,
      maxAttempts,
      timing,
      tell,
      now,
    });
  }
  return idleSource;
}

type BrokerSettings = Pick<EventSettings, 'kind' | 'amqpUrl' | 'amqpTls' | 'prefix'>;

/** The backlog of the source that the settings name; null without one. `connection`: as for dead letters. */
export function createBacklog(settings: BrokerSettings | null, connection: NatsConnection): Backlog | null {
  if (settings?.kind === 'jetstream') return createJetstreamBacklog(connection, settings.prefix);
  const broker = brokerOf(settings);
  return broker === null ? null : createRabbitmqBacklog(broker);
}

/** Dead letters of the source that the settings name; null without one. `connection`: NATS, which stays open after `close`. */
export function createDeadLetters(settings: BrokerSettings | null, connection: NatsConnection): DeadLetters | null {
  if (settings?.kind === 'jetstream') return createJetstreamDeadLetters(connection, settings.prefix);
  const broker = brokerOf(settings);
  return broker === null ? null : createRabbitmqDeadLetters(broker);
}

function brokerOf(settings: BrokerSettings | null): Broker | null {
  return settings?.amqpUrl ? { url: settings.amqpUrl, tls: settings.amqpTls ?? {} } : null;
}

/** Without configuration nothing ever comes, and that is healthy. */
const idleSource: EventSource = {
  consume: async () => {},
  status: () => [],
  stop: async () => {},
};
