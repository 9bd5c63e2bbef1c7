/** One task handed to one holder, as the holder saw it. Times are epoch milliseconds of this machine, as Postgres' are. */
interface HandOut {
  readonly task: string;
  /** Null over REST, where a runner holds its task until it reports. */
  readonly lease: string | null;
  readonly leaseMs: number;
  /** When the pop was sent, and when its answer came: the claim was made in between. */
  readonly sentAt: number;
  readonly receivedAt: number;
  /** Its end as the answer gave it. */
  readonly leaseUntil: number | null;
}

interface Holding {
  readonly task: string;
  readonly grantedAt: number;
  /** The earliest moment at which it may have expired: each renewal counts from when it was sent. */
  until: number;
  outcome: 'completed' | 'lost' | null;
  /** Its holder is dead: the lease lives until its time. */
  abandoned: boolean;
  /** An end was reported and no answer came: the task may be finished. */
  inDoubt: boolean;
}

export interface LedgerCounts {
  readonly accepted: number;
  readonly handedOut: number;
  readonly completed: number;
  /** Handed out while another lease on it was live, or after its end had been confirmed. */
  readonly twice: number;
  /** Leases that a living holder lost although it had renewed in time. */
  readonly taken: number;
}

/** What the outside of Rota saw, kept apart from the product's code so that it can contradict it. */
export class Ledger {
  readonly #accepted = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #tasks = new Map<string, Holding[]>();
  readonly #leases = new Map<string, Holding>();
  /** Tasks whose push was repeated, and the repeat refused. */
  readonly #refusedPushes = new Set<string>();
  /** Tasks whose lease was said to be lost after a report on it had gone unanswered. */
  readonly #refusedReports = new Set<string>();
  readonly #taken: Holding[] = [];
  readonly #twice: string[] = [];
  #handedOut = 0;

  /** A push was answered OK. */
  accept(task: string): void {
    this.#accepted.add(task);
  }

  /** A push was refused, and by that promised not to be done. */
  refuse(task: string): void {
    this.#refused.add(task);
  }

  handOut(given: HandOut): void {
    const { task, lease, leaseMs, sentAt, receivedAt, leaseUntil } = given;
    // Where the answer's own figure lies outside of what this clock allows, this clock decides.
    const told = leaseUntil === null ? receivedAt : leaseUntil - leaseMs;
    const grantedAt = Math.min(Math.max(told, sentAt), receivedAt);
    const until = lease === null ? Number.POSITIVE_INFINITY : grantedAt + leaseMs;
    const holding: Holding = { task, grantedAt, until, outcome: null, abandoned: false, inDoubt: false };
    const before = this.#tasks.get(task) ?? [];
    const live = before.some((other) => other.outcome === null && !other.inDoubt && other.until > grantedAt);
    if (live || before.some((other) => other.outcome === 'completed')) this.#twice.push(task);
    this.#tasks.set(task, [...before, holding]);
    if (lease !== null) this.#leases.set(lease, holding);
    this.#handedOut += 1;
  }

  renew(lease: string, sentAt: number, leaseMs: number): void {
    const holding = this.#leases.get(lease);
    if (holding !== undefined) holding.until = Math.max(holding.until, sentAt + leaseMs);
  }

  /** A heartbeat or a report was answered "not yours", to a holder that lives. */
  lose(lease: string): void {
    const holding = this.#leases.get(lease);
    if (holding === undefined || holding.outcome !== null) return;
    if (holding.inDoubt) this.#refusedReports.add(holding.task);
    else this.#taken.push(holding);
    holding.outcome = 'lost';
  }

  /** The holder has reported the end and knows no answer. */
  doubt(lease: string): void {
    const holding = this.#leases.get(lease);
    if (holding !== undefined) holding.inDoubt = true;
  }

  /** Every holder is dead. */
  abandon(): void {
    for (const holding of this.#leases.values()) holding.abandoned ||= holding.outcome === null;
  }

  complete(task: string, lease: string | null): void {
    const holding = lease === null ? this.#tasks.get(task)?.at(-1) : this.#leases.get(lease);
    if (holding !== undefined) holding.outcome = 'completed';
  }

  refusePushedAgain(task: string): void {
    this.#refusedPushes.add(task);
  }

  /** Every task that must be in the database. */
  get mustExist(): readonly string[] {
    return [...this.#accepted.union(new Set(this.#tasks.keys()))];
  }

  get refused(): readonly string[] {
    return [...this.#refused];
  }

  get refusedPushes(): readonly string[] {
    return [...this.#refusedPushes];
  }

  get refusedReports(): readonly string[] {
    return [...this.#refusedReports];
  }

  isCompleted(task: string): boolean {
    return this.#tasks.get(task)?.some(({ outcome }) => outcome === 'completed') === true;
  }

  /** Leases of living holders that have neither been reported on nor lost. */
  get inHand(): number {
    return [...this.#leases.values()].filter(({ outcome, abandoned }) => outcome === null && !abandoned).length;
  }

  counts(): LedgerCounts {
    const completed = [...this.#tasks.keys()].filter((task) => this.isCompleted(task)).length;
    return {
      accepted: this.#accepted.size,
      handedOut: this.#handedOut,
      completed,
      twice: this.#twice.length,
      taken: this.#taken.length,
    };
  }
}
