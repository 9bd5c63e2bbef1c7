import type { Result } from '../mailbox/failure.ts';
import type { StreamEvent } from '../protocol/events.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';

/**
 * Where KAT's events come from: RabbitMQ (rabbitmq-source.ts) or NATS JetStream (jetstream-source.ts). Both parse and
 * validate at the edge, hand events over as data, and acknowledge only what the handler reports done: committed.
 *
 * Outcomes of one event:
 * - done → acknowledged;
 * - failed with a code that does not name the event (`isOfItem` of src/errors.ts: an outage, a missing schema) → held and
 *   tried again with back-off for as long as that lasts, without counting an attempt;
 * - failed otherwise, or its thread died while it was in hand → counts an attempt; tried again with back-off, and after
 *   `maxAttempts` dead-lettered to `<queue>.dead` with the error in a header;
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
 * `alone`: this event has failed before and gets a batch of its own, so that a poisonous one takes no other down. `again`: it
 * was handed over before, in an outage for instance; newer events may have been handled since.
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

/** The broker and the stream, as health, logs and `rota status` name a source: `rabbitmq:raw_file_received`. */
export function sourceName(broker: 'rabbitmq' | 'jetstream', stream: EventStream): string {
  return `${broker}:${stream}`;
}

/**
 * Reports the state of one connection to a broker for each stream that comes over it: every actor has a connection of its
 * own, and one that is back says nothing about another.
 */
export class SourceLink {
  readonly #broker: 'rabbitmq' | 'jetstream';
  readonly #tell: (event: RotaEvent) => void;
  readonly #streams: EventStream[] = [];
  #state: 'unknown' | 'connected' | 'lost' = 'unknown';
  #message = '';

  constructor(broker: 'rabbitmq' | 'jetstream', tell: (event: RotaEvent) => void) {
    this.#broker = broker;
    this.#tell = tell;
  }

  /** A stream that joins later is reported at once. */
  carry(stream: EventStream): void {
    this.#streams.push(stream);
    if (this.#state !== 'unknown') this.#report(stream);
  }

  up(): void {
    this.#become('connected', '');
  }

  down(message: string): void {
    this.#become('lost', message);
  }

  #become(state: 'connected' | 'lost', message: string): void {
    [this.#state, this.#message] = [state, message];
    for (const stream of this.#streams) this.#report(stream);
  }

  #report(stream: EventStream): void {
    const source = sourceName(this.#broker, stream);
    if (this.#state === 'connected') this.#tell({ name: 'source.connected', source });
    else this.#tell({ name: 'source.lost', source, message: this.#message });
  }
}
