import { RotaError } from '../errors.ts';
import { InFlight } from '../in-flight.ts';
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
    // A single one is taken at any size, as in InFlight.
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
