import { type ErrorCode, RotaError } from './errors.ts';

/** Beyond that a client hears that nothing answers, instead of waiting with us: its own patience ends sooner or later. */
export const answerWithinMs = 12_000;
/** The answer to a pop that waits comes so long after its wait at most. */
export const popMarginMs = 2_000;

export interface Bounds {
  readonly most: number;
  readonly mostBytes: number;
}

export interface InFlightOptions {
  readonly all: Bounds;
  readonly ofClient: Bounds;
  /** What a client hears that has its part: the code of the edge, what is counted, and the variable that bounds it. */
  readonly refusal: { readonly code: ErrorCode; readonly what: string; readonly variable?: string };
}

interface Load {
  requests: number;
  bytes: number;
}

/**
 * What an edge has taken in of one kind and not answered yet: of all clients and of each. In front of the queue's own lines:
 * requests that wait for a database that hangs are parsed bodies in memory, 5 kB each, and 1 300 pushes a second for a
 * minute were 450 MB. A client is remembered for as long as it has something in flight; one Map is looked up per request.
 */
export class InFlight {
  readonly #options: InFlightOptions;
  readonly #all: Load = { requests: 0, bytes: 0 };
  readonly #clients = new Map<string, Load>();

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  /**
   * @param bytes of the request's body. A single one is taken whatever its size: the edge bounds that.
   * @returns ends it, once. @throws RotaError the edge's code (this client's part), MAILBOX_FULL (everybody's)
   */
  enter(client: string, bytes: number): () => void {
    const { all, ofClient } = this.#options;
    const known = this.#clients.get(client);
    if (known !== undefined && exceeds(known, bytes, ofClient)) throw this.#refused(known);
    if (exceeds(this.#all, bytes, all)) {
      const { requests, bytes: waiting } = this.#all;
      throw new RotaError('MAILBOX_FULL', `${requests} requests of ${waiting} bytes wait already: try again`);
    }
    const own = known ?? { requests: 0, bytes: 0 };
    if (known === undefined) this.#clients.set(client, own);
    add(own, 1, bytes);
    add(this.#all, 1, bytes);
    return () => {
      add(own, -1, -bytes);
      add(this.#all, -1, -bytes);
      if (own.requests === 0) this.#clients.delete(client);
    };
  }

  #refused({ requests, bytes }: Load): RotaError {
    const { code, what, variable } = this.#options.refusal;
    const by = variable === undefined ? '' : ` (${variable})`;
    return new RotaError(
      code,
      `this client has ${requests} ${what} of ${bytes} bytes in flight already${by}: try again`,
    );
  }
}

function exceeds({ requests, bytes }: Load, more: number, { most, mostBytes }: Bounds): boolean {
  return requests >= most || (requests > 0 && bytes + more > mostBytes);
}

function add(load: Load, requests: number, bytes: number): void {
  load.requests += requests;
  load.bytes += bytes;
}

/** What became of a request that the answer does not tell: it may be repeated. */
export function unanswered(): RotaError {
  return new RotaError(
    'DATABASE_UNAVAILABLE',
    `no answer within ${answerWithinMs / 1_000} s; it may have been done, and may be asked again`,
  );
}
