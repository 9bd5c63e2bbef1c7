import { RotaError } from '../../errors.ts';
import type { PopRequest } from '../queue.ts';
import { time } from '../../time-and-chance.ts';

interface HeldLeasesOptions {
  /** Leases of one client, with those that its claims in flight ask for. */
  readonly most: number;
  /** How many leases it has now, by the database. */
  readonly count: (holder: string) => Promise<number>;
}

interface HolderLeases {
  /** An upper bound: the last count, and what was handed out since. */
  leases: number;
  /** Units of claims in flight. */
  claiming: number;
  /** Handed out since the count in flight was asked for; null while none is. */
  sinceCount: number | null;
  /** time.monotonicMs() */
  countAgainAt: number;
}

/** A client that takes 100 000 tasks a second is counted four times in it; one that takes 100, once in four minutes. */
const countEveryMs = 250;
/** A count reads all leases: for so many times as long as it took, no other follows. */
const restsPerCount = 20;
/** Clients that are remembered; the oldest entry goes first. */
const mostClients = 10_000;

/**
 * Bounds the leases of each client. Without a bound, a client that pops sets of 1 000 and never speaks has the whole queue in a
 * minute, and fails it in five. A supervisor knows only what it handed out itself, so between two counts a client may get as many
 * again from each other supervisor. The database is not asked before a client may have half of what it is allowed.
 */
export class HeldLeases {
  readonly #options: HeldLeasesOptions;
  readonly #clients = new Map<string, HolderLeases>();

  constructor(options: HeldLeasesOptions) {
    this.#options = options;
  }

  get most(): number {
    return this.#options.most;
  }

  /** A claim begins. A client that has nothing gets one at any size. @returns false where there is no room */
  admit({ holder, limit }: PopRequest): boolean {
    if (holder === undefined) return true;
    const known = this.#clients.get(holder) ?? this.#remember(holder);
    const { most } = this.#options;
    const had = known.leases + known.claiming;
    if (had + limit > most / 2) this.#count(holder, known);
    if (had > 0 && had + limit > most) return false;
    known.claiming += limit;
    return true;
  }

  /** The claim has ended. @param tasks handed out: groups have several for each unit */
  handedOut({ holder, limit }: PopRequest, tasks: number): void {
    const known = holder === undefined ? undefined : this.#clients.get(holder);
    if (known === undefined) return;
    known.claiming -= limit;
    known.leases += tasks;
    if (known.sinceCount !== null) known.sinceCount += tasks;
    if (known.leases === 0 && known.claiming === 0) this.#clients.delete(holder!);
  }

  #count(holder: string, known: HolderLeases): void {
    const now = time.monotonicMs();
    if (known.sinceCount !== null || now < known.countAgainAt) return;
    known.sinceCount = 0;
    const rest = () => {
      const ended = time.monotonicMs();
      known.sinceCount = null;
      known.countAgainAt = ended + Math.max(countEveryMs, (ended - now) * restsPerCount);
    };
    this.#options.count(holder).then(
      (count) => {
        known.leases = count + known.sinceCount!;
        rest();
      },
      // The database is away: nothing is claimed either, and a later claim counts.
      rest,
    );
  }

  #remember(holder: string): HolderLeases {
    if (this.#clients.size >= mostClients) this.#forgetOne();
    const known: HolderLeases = { leases: 0, claiming: 0, sinceCount: null, countAgainAt: Number.NEGATIVE_INFINITY };
    this.#clients.set(holder, known);
    return known;
  }

  #forgetOne(): void {
    for (const [holder, { claiming }] of this.#clients) {
      if (claiming > 0) continue;
      this.#clients.delete(holder);
      return;
    }
  }
}

/** Over REST 503: 429 is a full queue to mula's clients. */
export function holdsTooMany({ via }: PopRequest, most: number): RotaError {
  return new RotaError(
    via === 'nats' ? 'TOO_MANY_REQUESTS' : 'MAILBOX_FULL',
    `this client would hold more than ${most} tasks (SCHEDULER_CLIENT_LEASES): complete some, or ask for fewer`,
    { fields: { budget: 'client' } },
  );
}
