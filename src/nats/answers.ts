import type { NatsConnection } from 'nats';
import { within } from '../deadline.ts';

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
