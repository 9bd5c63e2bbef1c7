import type { NatsConnection } from 'nats';
import type { EventStream } from '../protocol/scheduler.ts';
import { ensureStreams, subjectsOf } from './subjects.ts';

/** Publishes KAT's events to JetStream, the bodies that Octopoes and Bytes send to RabbitMQ. */
export interface JetstreamPublisher {
  /** Resolves when JetStream has stored it. Creates the stream where it is absent. */
  publish(stream: EventStream, body: Uint8Array | string): Promise<void>;
}

export function createJetstreamPublisher(connection: NatsConnection, prefix: string): JetstreamPublisher {
  const client = connection.jetstream();
  const subjects = subjectsOf(prefix);
  let ready: Promise<void> | null = null;

  const prepare = () => {
    ready ??= connection
      .jetstreamManager()
      .then((manager) => ensureStreams(manager, prefix))
      .catch((error: unknown) => {
        ready = null;
        throw error;
      });
    return ready;
  };

  return {
    publish: async (stream, body) => {
      await prepare();
      await client.publish(subjects.main(stream), typeof body === 'string' ? new TextEncoder().encode(body) : body);
    },
  };
}
