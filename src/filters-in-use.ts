import { type ErrorCode, RotaError } from './errors.ts';
import { distinctFilters } from './queue/filter/filter.ts';

/** How an edge says that a client has its part of the filters. */
interface Refusal {
  readonly code: ErrorCode;
  /** What sets the bound. */
  readonly bound: string;
}

const natsRefusal: Refusal = { code: 'TOO_MANY_REQUESTS', bound: 'NATS_CLIENT_FILTERS' };

/** The distinct filters that pops wait with, of each client of an edge. Pops without one are not counted. */
export class FiltersInUse {
  /** How many pops of a client have each filter. */
  readonly #clients = new Map<string, Map<string, number>>();
  /** How many clients have each filter: those that share one share its claims. */
  readonly #all = new Map<string, number>();
  readonly #most: number;
  readonly #refusal: Refusal;

  /** @param refusal of a client that has `most` already */
  constructor(most: number, refusal: Refusal = natsRefusal) {
    this.#most = most;
    this.#refusal = refusal;
  }

  /** @returns ends it. @throws RotaError of the edge's code */
  enter(client: string, filter: string): () => void {
    const own = this.#clients.get(client) ?? new Map<string, number>();
    if (!own.has(filter)) {
      this.#admit(own.size, filter);
      add(this.#all, filter, 1);
    }
    add(own, filter, 1);
    this.#clients.set(client, own);
    return () => {
      if (add(own, filter, -1) > 0) return;
      add(this.#all, filter, -1);
      if (own.size === 0) this.#clients.delete(client);
    };
  }

  /** A greedy client has a fifth of what those before it left, so that twenty of them leave something to the next. */
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

function add(counts: Map<string, number>, key: string, more: number): number {
  const count = (counts.get(key) ?? 0) + more;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}
