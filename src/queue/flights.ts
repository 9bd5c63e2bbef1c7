export interface FlightsOptions {
  /** Statements at once, at most. */
  readonly most: number;
  /** Looks whether there is a statement to start: at the end of a turn of the event loop, once however often that was asked for. */
  readonly start: () => void;
}

/**
 * Natural batching: what is asked for while a statement runs goes into the next one. Alone a statement starts at once; the
 * second beside others carries at least 4 items, the third 16, the fourth 64: a statement costs Postgres a commit and as
 * much as six rows, however little is in it (docs/design-choices.md has what that bought).
 */
export class Flights {
  readonly #options: FlightsOptions;
  readonly #running = new Set<Promise<void>>();
  #scheduled = false;
  #impatience: NodeJS.Timeout | null = null;
  #impatient = false;

  constructor(options: FlightsOptions) {
    this.#options = options;
  }

  get full(): boolean {
    return this.#running.size >= this.#options.most;
  }

  /** Something waits. */
  schedule(): void {
    if (this.#scheduled || this.full) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#options.start();
    });
  }

  /**
   * Whether a statement with so many items is worth starting beside so many others. Where not, it is looked at again when
   * one of them ends, and after some milliseconds at the latest: nobody waits behind one that hangs.
   */
  admits(items: number, beside: number): boolean {
    if (this.#impatient || beside === 0 || items >= 4 ** beside) return true;
    if (this.#impatience === null) this.#impatience = setTimeout(() => this.#startAnyway(), longestHoldMs);
    return false;
  }

  add(statement: Promise<void>): void {
    const running = statement.finally(() => {
      this.#running.delete(running);
      this.schedule();
    });
    this.#running.add(running);
    this.schedule();
  }

  /** Resolves when all that run now have ended. */
  async landed(): Promise<void> {
    await Promise.all(this.#running);
  }

  #startAnyway(): void {
    this.#impatience = null;
    this.#impatient = true;
    this.#options.start();
    this.#impatient = false;
  }
}

/** Longer than a claim of hundreds takes under full load. */
const longestHoldMs = 5;
