import { isIP } from 'node:net';
import { type ErrorCode, RotaError } from './errors.ts';

/** A request that takes longer is refused: clients have timeouts of their own. */
export const answerWithinMs = 12_000;
/** A pop is answered at most this long after its wait. */
export const popMarginMs = 2_000;

/** Of an error: the budget is the client's own. REST has one code for both. */
const ofClient = { fields: { budget: 'client' } } as const;

export interface AdmissionBounds {
  readonly most: number;
  readonly mostBytes: number;
}

interface InFlightOptions {
  readonly all: AdmissionBounds;
  readonly ofClient: AdmissionBounds;
  /** For a client that has its share: the edge's code, what is counted, and the variable that bounds it. */
  readonly refusal: { readonly code: ErrorCode; readonly what: string; readonly variable?: string };
}

interface Load {
  requests: number;
  bytes: number;
}

/**
 * Admission control of an edge: the requests of one kind in flight, of all clients and of each. It stands in front of the queue:
 * requests that wait for a hanging database are parsed bodies in memory, 5 kB each, and 1 300 pushes a second for a minute took
 * 450 MB. A client is remembered while it has requests in flight; each request costs one look-up in a Map.
 */
export class InFlight {
  readonly #options: InFlightOptions;
  readonly #all: Load = { requests: 0, bytes: 0 };
  readonly #clients = new Map<string, Load>();

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  /**
   * @param bytes of the request's body. A single request is admitted at any size: the edge bounds that.
   * @returns the release, to be called once. @throws RotaError the edge's code (this client's share), MAILBOX_FULL (all clients')
   */
  enter(client: string, bytes: number): () => void {
    const { all, ofClient } = this.#options;
    const known = this.#clients.get(client);
    if (known !== undefined && exceeds(known, bytes, ofClient)) throw this.#refused(known);
    if (exceeds(this.#all, bytes, all)) {
      const waiting = named(this.#all, this.#options.refusal.what);
      throw new RotaError('MAILBOX_FULL', `${waiting} of all clients wait already: try again`);
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

  #refused(load: Load): RotaError {
    const { code, what, variable } = this.#options.refusal;
    const by = variable === undefined ? '' : ` (${variable})`;
    return new RotaError(code, `this client has ${named(load, what)} in flight already${by}: try again`, ofClient);
  }
}

function exceeds({ requests, bytes }: Load, more: number, { most, mostBytes }: AdmissionBounds): boolean {
  return requests >= most || (requests > 0 && bytes + more > mostBytes);
}

function named({ requests, bytes }: Load, what: string): string {
  return bytes === 0 ? `${requests} ${what}` : `${requests} ${what} of ${bytes} bytes`;
}

function add(load: Load, requests: number, bytes: number): void {
  load.requests += requests;
  load.bytes += bytes;
}

/** The refusal of a late request: whether it was done is unknown, and it may be repeated. */
export function unanswered(): RotaError {
  return new RotaError(
    'DATABASE_UNAVAILABLE',
    `no answer within ${answerWithinMs / 1_000} s; it may have been done, and may be asked again`,
  );
}

/** Distinct filters: of one client, and of all together. */
interface FilterBounds {
  readonly most: number;
  readonly all: number;
}

/** How an edge refuses a client that has its share of the filters. */
interface Refusal {
  readonly code: ErrorCode;
  /** What sets the bound. */
  readonly bound: string;
}

/** The distinct filters of the waiting pops of each client of an edge. Pops without a filter are not counted. */
export class FiltersInUse {
  /** How many pops of a client have each filter. */
  readonly #clients = new Map<string, Map<string, number>>();
  /** How many clients have each filter: clients that share a filter share its claims. */
  readonly #all = new Map<string, number>();
  readonly #bounds: FilterBounds;
  readonly #refusal: Refusal;

  /** @param refusal for a client that has `most` already */
  constructor(bounds: FilterBounds, refusal: Refusal) {
    this.#bounds = bounds;
    this.#refusal = refusal;
  }

  /** @returns the release. @throws RotaError of the edge's code */
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

  /** A client takes at most a quarter of what is then left, so that twenty greedy ones leave something for the next. */
  #admit(own: number, filter: string): void {
    const left = this.#bounds.all - this.#all.size;
    if (own >= this.#bounds.most) {
      const named = `${own} distinct filters in use (${this.#refusal.bound})`;
      throw new RotaError(this.#refusal.code, `this client has ${named} already`, ofClient);
    }
    if (!this.#all.has(filter) && own >= left / 4) {
      const named = `${own} distinct filters in use, and only ${left} of all clients' are left`;
      throw new RotaError(this.#refusal.code, `this client has ${named}: try again`, ofClient);
    }
  }
}

function adjust(counts: Map<string, number>, key: string, more: number): number {
  const count = (counts.get(key) ?? 0) + more;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}

/**
 * What is in flight, by a key that `add` gives out. For a set to and from which every request is added and removed.
 *
 * A Set's table is made anew every few dozen removals; the old one keeps its items and points to the next. Once one such table is in
 * V8's old generation, every later one, and so every request of the last seconds, survives the young generation and is copied twice
 * (docs/design-choices.md: a twentieth of a pop's CPU time).
 */
export class Slab<Item extends object> {
  readonly #items: (Item | null)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#items.length - this.#free.length;
  }

  /** @returns the item's key, which a later item has again once this one is removed */
  add(item: Item): number {
    const key = this.#free.pop() ?? this.#items.length;
    this.#items[key] = item;
    return key;
  }

  /** @returns whether the item was there: it is removed once, however often that is asked for with its own key and item */
  remove(key: number, item: Item): boolean {
    if (this.#items[key] !== item) return false;
    this.#items[key] = null;
    this.#free.push(key);
    return true;
  }

  /** In no order. An item that is added meanwhile may be left out. */
  *[Symbol.iterator](): Generator<Item> {
    for (const item of this.#items) if (item !== null) yield item;
  }
}

/** Whether only this machine reaches an address or a name: clients need no token there. */
export function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}
