import { RotaError } from '../errors.ts';
import { InFlight } from '../in-flight.ts';
import { distinctFilters } from '../queue/filter-budget.ts';
import { type ClientBudgets, kindBudgets } from './budgets.ts';

/** What a client has in flight, and how it gives it back. */
export type Leave = () => void;

/** Requests of one kind, all of them and each client's: one Map is looked up per request. */
export class KindInFlight {
  readonly #all: InFlight;
  readonly #clients = new Map<string, { requests: number; bytes: number }>();
  readonly #most: number;
  readonly #mostBytes: number;
  readonly #named: string;

  /** @param named what `most` bounds, and the variable that says so */
  constructor(all: { readonly most: number; readonly mostBytes: number }, most: number, named: string) {
    this.#all = new InFlight(all);
    this.#most = most;
    this.#mostBytes = all.mostBytes / 2;
    this.#named = named;
  }

  /** @throws RotaError TOO_MANY_REQUESTS (this client's), MAILBOX_FULL (everybody's) */
  enter(client: string, bytes: number): Leave {
    const known = this.#clients.get(client);
    if (known !== undefined && known.requests >= this.#most) {
      throw new RotaError('TOO_MANY_REQUESTS', `this client has ${this.#most} ${this.#named} already`);
    }
    // A single one is taken whatever its size, as in InFlight.
    if (known !== undefined && known.bytes + bytes > this.#mostBytes) {
      throw new RotaError('TOO_MANY_REQUESTS', `this client's requests have ${known.bytes} bytes already: try again`);
    }
    this.#all.enter(bytes);
    const own = known ?? { requests: 0, bytes: 0 };
    if (known === undefined) this.#clients.set(client, own);
    own.requests += 1;
    own.bytes += bytes;
    return () => {
      this.#all.leave(bytes);
      own.requests -= 1;
      own.bytes -= bytes;
      if (own.requests === 0) this.#clients.delete(client);
    };
  }
}

/** @returns what is in flight of an endpoint's kind, by the endpoint's name */
export function inFlightByKind(clients: ClientBudgets): (endpoint: string) => KindInFlight {
  const others = 'requests in flight (NATS_CLIENT_REQUESTS)';
  const kinds = {
    pop: new KindInFlight(kindBudgets.pop, clients.pops, 'pops in flight (NATS_CLIENT_POPS)'),
    heartbeat: new KindInFlight(kindBudgets.heartbeat, clients.requests, others),
    ctl: new KindInFlight(kindBudgets.ctl, kindBudgets.ctl.most / 2, 'commands in flight'),
    other: new KindInFlight(kindBudgets.other, clients.requests, others),
  };
  return (endpoint) => {
    if (endpoint === 'pop') return kinds.pop;
    if (endpoint === 'task-heartbeat') return kinds.heartbeat;
    return endpoint.startsWith('ctl') ? kinds.ctl : kinds.other;
  };
}

/** The distinct filters that pops wait with, of each client. Pops without one are not counted. */
export class FiltersInUse {
  /** How many pops of a client have each filter. */
  readonly #clients = new Map<string, Map<string, number>>();
  /** How many clients have each filter: those that share one share its claims. */
  readonly #all = new Map<string, number>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** @throws RotaError TOO_MANY_REQUESTS */
  enter(client: string, filter: string): Leave {
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
      const named = `${own} distinct filters in use (NATS_CLIENT_FILTERS)`;
      throw new RotaError('TOO_MANY_REQUESTS', `this client has ${named} already`);
    }
    if (!this.#all.has(filter) && own >= left / 4) {
      const named = `${own} distinct filters in use, and only ${left} of all clients' are left`;
      throw new RotaError('TOO_MANY_REQUESTS', `this client has ${named}: try again`);
    }
  }
}

function add(counts: Map<string, number>, key: string, more: number): number {
  const count = (counts.get(key) ?? 0) + more;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}
