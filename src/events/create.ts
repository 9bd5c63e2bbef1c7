import type { NatsConnection } from 'nats';
import type { NatsAuth } from '../config.ts';
import { emit, type RotaEvent } from '../telemetry/events.ts';
import { createAmqpSource } from './amqp.ts';
import type { Backlog } from './backlog.ts';
import type { DeadLetters } from './dead-letters.ts';
import { createJetstreamBacklog } from './jetstream-backlog.ts';
import { createJetstreamDeadLetters } from './jetstream-dead-letters.ts';
import { type ConnectNats, createJetstreamSource } from './jetstream.ts';
import { createRabbitmqBacklog } from './rabbitmq-backlog.ts';
import { createRabbitmqDeadLetters } from './rabbitmq-dead-letters.ts';
import type { EventSource } from './source.ts';
import { defaultTiming, type Timing } from './timing.ts';

export interface EventSettings {
  readonly kind: 'amqp' | 'jetstream';
  readonly amqpUrl: string | null;
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

/** The source that the settings name; without settings or without its URL one that idles. */
export function createEventSource(
  settings: EventSettings | null,
  options: {
    readonly connectNats: ConnectNats;
    /** The database's time, in epoch milliseconds: what one supervisor defers another one may take up. */
    readonly now: () => number;
    readonly timing?: Partial<Timing>;
    readonly tell?: (event: RotaEvent) => void;
  },
): EventSource {
  const timing = { ...defaultTiming, ...options.timing };
  const { tell = emit, now } = options;
  if (settings?.kind === 'amqp' && settings.amqpUrl !== null) {
    const { amqpUrl: url, prefetch, maxAttempts } = settings;
    return createAmqpSource({ url, prefetch, maxAttempts, timing, tell, now });
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

type BrokerSettings = Pick<EventSettings, 'kind' | 'amqpUrl' | 'prefix'>;

/** What waits for the source that the settings name; null without one. `connection`: as for dead letters. */
export function createBacklog(settings: BrokerSettings | null, connection: NatsConnection): Backlog | null {
  if (settings?.kind === 'jetstream') return createJetstreamBacklog(connection, settings.prefix);
  return settings?.amqpUrl ? createRabbitmqBacklog(settings.amqpUrl) : null;
}

/** Dead letters of the source that the settings name; null without one. `connection`: NATS, kept open by whoever hands it in. */
export function createDeadLetters(settings: BrokerSettings | null, connection: NatsConnection): DeadLetters | null {
  if (settings?.kind === 'jetstream') return createJetstreamDeadLetters(connection, settings.prefix);
  return settings?.amqpUrl ? createRabbitmqDeadLetters(settings.amqpUrl) : null;
}

/** Nothing is configured: that is not unhealthy, and nothing ever comes. */
const idleSource: EventSource = {
  consume: async () => {},
  status: () => [],
  stop: async () => {},
};
