import type { EventStream } from '../protocol/scheduler.ts';

/** An event that was given up, as an operator sees it. */
export interface DeadLetter {
  /** Names it in `requeue` and `drop`: its number in JetStream, a digest of it in RabbitMQ. */
  readonly id: string;
  readonly stream: EventStream;
  /** ISO timestamp. */
  readonly at: string | null;
  /** `CODE: message`. */
  readonly error: string | null;
  readonly attempts: number;
  /** As it came; text that is no JSON, too. */
  readonly body: string;
}

/** The dead-lettered events of both streams; one implementation per broker. Everything rejects while the broker is out. */
export interface DeadLetters {
  /** Oldest first, of each stream at most `limit`. */
  list(limit: number): Promise<readonly DeadLetter[]>;
  /**
   * Gives events another try from the beginning (`requeue`), or removes them for good. All of a stream, or those with the
   * ids.
   * @returns the ids that were there
   */
  settle(
    action: 'requeue' | 'drop',
    which: { readonly stream?: EventStream; readonly ids?: readonly string[] },
  ): Promise<readonly string[]>;
  close(): Promise<void>;
}

export const eventStreams: readonly EventStream[] = ['scan_profile_mutations', 'raw_file_received'];
