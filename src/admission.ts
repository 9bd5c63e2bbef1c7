import { type ErrorCode, RotaError } from './errors.ts';
import { distinctFilters } from './queue/filter-budget.ts';

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

/** How an edge refuses a client that has its share of the filters. */
interface Refusal {
  readonly code: ErrorCode;
  /** What sets the bound. */
  readonly bound: string;
}

/** The distinct filters that pops wait with, of each client of an edge. Pops without one are not counted. */
export class FiltersInUse {
  /** How many pops of a client have each filter. */
  readonly #clients = new Map<string, Map<string, number>>();
  /** How many clients have each filter: those that share one share its claims. */
  readonly #all = new Map<string, number>();
  readonly #most: number;
  readonly #refusal: Refusal;

  /** @param refusal of a client that has `most` already */
  constructor(most: number, refusal: Refusal) {
    this.#most = most;
    this.#refusal = refusal;
  }

  /** @returns ends it. @throws RotaError of the edge's code */
  enter(client: string, filter: string): () => void {
    const own = this.#clients.get(client) ?? new Map<string, number>();
    if (!own.has(filter)) {
      this.#admit(own.size, filter);
      adjust(this.#all, filter, 1);
    }
    adjust(own, filter, 1);
    this.#clients.set(client, own);
    return () => {
      if (adjust(own, filter, -1) > 0) return;
      adjust(this.#all, filter, -1);
      if (own.size === 0) this.#clients.delete(client);
    };
  }

  /** A greedy client takes at most a fifth of what is left, so that twenty of them leave something for the next. */
  #admit(own: number, filter: string): void {
    const left = distinctFilters - this.#all.size;
    if (own >= this.#most) {
      const named = `${own} distinct filters in use (${this.#refusal.bound})`;
      throw new RotaError(this.#refusal.code, `this client has ${named} already`);
    }
    if (!this.#all.has(filter) && own >= left / 4) {
      const named = `${own} distinct filters in use, and only ${left} of all clients' are left`;
      throw new RotaError(this.#refusal.code, `this client has ${named}: try again`);
    }
  }
}

function adjust(counts: Map<string, number>, key: string, more: number): number {
  const count = (counts.get(key) ?? 0) + more;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}
