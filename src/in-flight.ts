import { RotaError } from './errors.ts';

/** Beyond that a client hears that nothing answers, instead of waiting with us: its own patience ends sooner or later. */
export const answerWithinMs = 12_000;

/**
 * What an edge has taken in and not answered yet. In front of the queue's own lines: requests that wait for a database that
 * hangs are parsed bodies in memory, 5 kB each, and 1 300 pushes a second for a minute were 450 MB.
 */
export class InFlight {
  readonly #most: number;
  readonly #mostBytes: number;
  #requests = 0;
  #bytes = 0;

  constructor(bounds: { readonly most: number; readonly mostBytes: number }) {
    this.#most = bounds.most;
    this.#mostBytes = bounds.mostBytes;
  }

  /** Of the request's body. A single one is taken whatever its size: the edge bounds that. @throws RotaError MAILBOX_FULL */
  enter(bytes: number): void {
    if (this.#requests >= this.#most || (this.#requests > 0 && this.#bytes + bytes > this.#mostBytes)) {
      throw new RotaError('MAILBOX_FULL', `${this.#requests} requests of ${this.#bytes} bytes wait already: try again`);
    }
    this.#requests += 1;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#requests -= 1;
    this.#bytes -= bytes;
  }
}

/** What became of a request that the answer does not tell: it may be repeated. */
export function unanswered(): RotaError {
  return new RotaError(
    'DATABASE_UNAVAILABLE',
    `no answer within ${answerWithinMs / 1_000} s; it may have been done, and may be asked again`,
  );
}
