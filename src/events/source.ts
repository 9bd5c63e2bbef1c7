import type { Result } from '../mailbox/failure.ts';
import type { StreamEvent } from '../protocol/events.ts';
import type { EventStream } from '../protocol/scheduler.ts';

/**
 * Where KAT events come from: RabbitMQ (amqp.ts) or NATS JetStream (jetstream.ts). Both parse and validate at the edge,
 * hand events over as data, and acknowledge only what the handler reports done (that is: committed).
 *
 * Outcomes of one event:
 * - done → acknowledged;
 * - failed with a code that does not name the event (`isOfItem` of src/errors.ts: an outage, a schema that is not there) →
 *   held and tried again with back-off, for as long as it lasts, without counting an attempt;
 * - failed otherwise, or its thread died while it was in hand → counts an attempt; tried again with back-off, and
 *   dead-lettered to `<queue>.dead` with the error in a header once `maxAttempts` are used up;
 * - malformed → dead-lettered at once: it will never parse.
 */
export interface EventSource {
  /** Connects, declares what must exist, and starts to consume. Reconnects for ever; never rejects for an outage. */
  consume(stream: EventStream, handler: EventHandler): Promise<void>;
  status(): readonly StreamStatus[];
  /** Stops deliveries, waits for events in hand to be settled (bounded by `withinMs`), closes. */
  stop(withinMs: number): Promise<void>;
}

/**
 * `alone`: this event has failed before; give it a batch of its own, so that a poisonous one takes no other down. `again`: it
 * was handed over before, be it in an outage that held it; newer ones may have been handled since.
 */
export type EventHandler = (
  event: StreamEvent,
  delivery: { alone: boolean; again: boolean; trace: string },
) => Promise<Result<unknown>>;

export interface StreamStatus {
  /** Broker and stream: `rabbitmq:raw_file_received`. */
  readonly source: string;
  readonly stream: EventStream;
  readonly connected: boolean;
  readonly inHand: number;
  readonly done: number;
  readonly retried: number;
  readonly deadLettered: number;
  readonly lastError: string | null;
}
