import type { EventStream } from '../protocol/scheduler.ts';

/** What waits in the broker for one stream, over all supervisors. */
export interface StreamBacklog {
  /** `rabbitmq:raw_file_received`. */
  readonly source: string;
  readonly stream: EventStream;
  /** Nobody has these in hand. Null, as the other figures, where the broker does not say: `error` tells why. */
  readonly waiting: number | null;
  /** Failed before, or in hand when a thread died: they wait for another attempt. */
  readonly retrying: number | null;
  /** Given up. */
  readonly dead: number | null;
  readonly error: string | null;
  /** A stream of JetStream that takes no more, or soon will not, in a sentence. */
  readonly full: string | null;
}

/** How far behind the event source is. Looks only: declares and consumes nothing. */
export interface Backlog {
  /** Of both streams. Never rejects: a broker that does not answer within 2 s is told in `error`. */
  look(): Promise<readonly StreamBacklog[]>;
  close(): Promise<void>;
}

export const lookWithinMs = 2_000;

/** Figures of one stream, or why there are none. */
export async function figuresOf(
  about: Pick<StreamBacklog, 'source' | 'stream'>,
  broker: string,
  figures: Promise<Pick<StreamBacklog, 'waiting' | 'retrying' | 'dead'> & Partial<Pick<StreamBacklog, 'full'>>>,
): Promise<StreamBacklog> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`does not answer within ${lookWithinMs} ms`)), lookWithinMs);
  try {
    return { ...about, full: null, ...(await Promise.race([figures, timeout.promise])), error: null };
  } catch (error) {
    return {
      ...about,
      full: null,
      waiting: null,
      retrying: null,
      dead: null,
      error: `${broker}: ${(error as Error).message}`,
    };
  } finally {
    clearTimeout(timer);
  }
}
