import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';

/** The broker and the stream, as health, logs and `rota status` name a source: `rabbitmq:raw_file_received`. */
export function sourceName(broker: 'rabbitmq' | 'jetstream', stream: EventStream): string {
  return `${broker}:${stream}`;
}

/**
 * Tells of one connection to a broker, by the streams that come over it: every actor has a connection of its own, and one
 * that is back says nothing about another that is not.
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

  /** A stream that joins later is told of, too. */
  carry(stream: EventStream): void {
    this.#streams.push(stream);
    if (this.#state !== 'unknown') this.#tellOf(stream);
  }

  up(): void {
    this.#become('connected', '');
  }

  down(message: string): void {
    this.#become('lost', message);
  }

  #become(state: 'connected' | 'lost', message: string): void {
    [this.#state, this.#message] = [state, message];
    for (const stream of this.#streams) this.#tellOf(stream);
  }

  #tellOf(stream: EventStream): void {
    const source = sourceName(this.#broker, stream);
    if (this.#state === 'connected') this.#tell({ name: 'source.connected', source });
    else this.#tell({ name: 'source.lost', source, message: this.#message });
  }
}
