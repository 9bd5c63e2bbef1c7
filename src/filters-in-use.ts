import { type ErrorCode, RotaError } from './errors.ts';

/** Distinct filters of all clients of an edge: each push may run a claim for each of them. */
export const mostFilters = 1_000;

/** How an edge says that a client has its part of the filters. */
interface Refusal {
  readonly code: ErrorCode;
  /** What sets the bound. */
  readonly bound: string;
}

const natsRefusal: Refusal = { code: 'TOO_MANY_REQUESTS', bound: 'NATS_CLIENT_FILTERS' };

/** The distinct filters that pops wait with, of each client. Pops without one are not counted. */
export class FiltersInUse {
  /** How many pops of a client have each filter. */
  readonly #clients = new Map<string, Map<string, number>>();
  readonly #most: number;
  readonly #refusal: Refusal;
  #all = 0;

  /** @param refusal of a client that has `most` already */
  constructor(most: number, refusal: Refusal = natsRefusal) {
    this.#most = most;
    this.#refusal = refusal;
  }

  /** @returns ends it. @throws RotaError of the edge's code for this client's, MAILBOX_FULL for everybody's */
  enter(client: string, filter: string): () => void {
    const own = this.#clients.get(client) ?? new Map<string, number>();
    const pops = own.get(filter) ?? 0;
    if (pops === 0) {
      if (own.size >= this.#most) {
        const { code, bound } = this.#refusal;
        throw new RotaError(code, `this client has ${this.#most} distinct filters in use (${bound}) already`);
      }
      if (this.#all >= mostFilters) {
        throw new RotaError('MAILBOX_FULL', `pops wait with ${mostFilters} distinct filters already: try again`);
      }
      this.#all += 1;
    }
    own.set(filter, pops + 1);
    this.#clients.set(client, own);
    return () => {
      const left = own.get(filter)! - 1;
      if (left > 0) return void own.set(filter, left);
      own.delete(filter);
      this.#all -= 1;
      if (own.size === 0) this.#clients.delete(client);
    };
  }
}
