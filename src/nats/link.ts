import { Events, type NatsConnection } from 'nats';
import { within } from '../deadline.ts';

/** Whether the connection is up. The library drops what is published while it is down, so whoever publishes must know. */
export interface Link {
  readonly up: boolean;
}

export function watchLink(connection: NatsConnection, on: { down?: () => void; up?: () => void } = {}): Link {
  const link = { up: true };
  void follow();
  return link;

  /** Ends with the connection. */
  async function follow(): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect && link.up) {
        link.up = false;
        on.down?.();
      } else if (status.type === Events.Reconnect && !link.up) {
        link.up = true;
        on.up?.();
      }
    }
  }
}

/** A round trip takes a millisecond; a supervisor is silent for the others after three seconds. */
const answerWithinMs = 1_000;

/** Whether the NATS server answers at this moment, which a connection that is open at our end only does not show. */
export async function answers(connection: NatsConnection): Promise<boolean> {
  if (connection.isClosed() || connection.isDraining()) return false;
  return within(connection.flush(), answerWithinMs).then(
    () => true,
    () => false,
  );
}
