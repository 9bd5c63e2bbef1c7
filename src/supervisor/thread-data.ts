import type { NatsAuth } from '../config/config.ts';
import type { TlsMaterial } from '../tls-files.ts';
import type { MessagePort } from 'node:worker_threads';
import { RotaError } from '../errors.ts';
import type { SchedulerSettings } from '../protocol/scheduler.ts';

/** What a scheduler's thread gets: a slice of the configuration, and never the rest or the environment; and the time. */
export interface ThreadSettings {
  readonly scheduler: SchedulerSettings;
  readonly kat: KatSettings;
  /** Null where no event source is configured: the actor then only hears clocks and commands. */
  readonly events: EventSettings | null;
  readonly mailbox: { readonly capacity: number };
  readonly log: { readonly format: 'text' | 'json'; readonly debug: boolean };
  /** Whether spans are exported. */
  readonly traces: boolean;
  /** Memory of a SharedClock: the database's time, which the main thread keeps right. */
  readonly clock: SharedArrayBuffer;
}

export interface KatSettings {
  /** Null where the service is not configured: calls then fail with SERVICE_UNAVAILABLE. */
  readonly katalogus: ServiceSettings | null;
  readonly octopoes: ServiceSettings | null;
  readonly bytes: ServiceSettings | null;
  readonly bytesUser: string | null;
  readonly bytesPassword: string | null;
}

export interface ServiceSettings {
  readonly url: string;
  readonly timeoutMs: number;
  /** Requests in flight at most. */
  readonly connections: number;
}

export interface EventSettings {
  readonly kind: 'amqp' | 'jetstream';
  readonly amqpUrl: string | null;
  /** Any file in it requires TLS of RabbitMQ, also with an `amqp:` URL. */
  readonly amqpTls?: TlsMaterial;
  readonly natsServers: string | null;
  readonly natsAuth: NatsAuth;
  /** Subject prefix of JetStream. */
  readonly prefix: string;
  /** Unacknowledged events per queue. */
  readonly prefetch: number;
  /** Tries of one event before it is dead-lettered. */
  readonly maxAttempts: number;
}

/** workerData of actors/host.ts. Three ports, so that neither a full mailbox nor a slow request hides the others. */
export interface ThreadData extends ThreadSettings {
  readonly actor: string;
  /** URL of its behavior.ts. */
  readonly behavior: string;
  /** Commands and signals to the actor. */
  readonly inbox: MessagePort;
  /** The actor's requests to the supervisor. */
  readonly requests: MessagePort;
  /** The operator's view (src/control). */
  readonly control: MessagePort;
}

const required = [
  'actor',
  'behavior',
  'inbox',
  'requests',
  'control',
  'scheduler',
  'kat',
  'events',
  'mailbox',
  'log',
  'traces',
  'clock',
] as const satisfies readonly (keyof ThreadData)[];

/** @throws RotaError BROKEN that names what is missing, or that this is no scheduler thread. */
export function threadDataOf(data: unknown, isMainThread: boolean): ThreadData {
  if (isMainThread)
    throw new RotaError('BROKEN', 'this is the entry of a scheduler thread: only the supervisor starts it');
  const given: Record<string, unknown> = typeof data === 'object' && data !== null ? { ...data } : {};
  const missing = required.filter((name) => !(name in given));
  if (missing.length > 0) throw new RotaError('BROKEN', `workerData of a scheduler thread lacks ${missing.join(', ')}`);
  return data as ThreadData;
}
