import { codeOf, RotaError } from '../errors.ts';
import { time, type Timer } from '../time-and-chance.ts';

interface StatementsInFlightOptions {
  /** Statements at once, at most. */
  readonly most: number;
  /** Starts a statement if there is one to start. Called at the end of a turn of the event loop, once for any number of requests. */
  readonly start: () => void;
}

/**
 * Natural batching: requests that arrive while a statement runs share the next one. A statement starts at once if none runs;
 * the second beside others carries at least 4 items, the third 16, the fourth 64: a statement costs Postgres a commit and as
 * much as six rows, however little is in it (docs/design-choices.md has the measurements).
 */
export class StatementsInFlight {
  readonly #options: StatementsInFlightOptions;
  readonly #running = new Set<Promise<void>>();
  #scheduled = false;
  #holdTimer: Timer | null = null;
  #holdIsOver = false;

  constructor(options: StatementsInFlightOptions) {
    this.#options = options;
  }

  get full(): boolean {
    return this.#running.size >= this.#options.most;
  }

  /** Something waits. */
  schedule(): void {
    if (this.#scheduled || this.full) return;
    this.#scheduled = true;
    time.setImmediate(() => {
      this.#scheduled = false;
      this.#options.start();
    });
  }

  /**
   * Whether a statement with so many items is worth starting beside so many others. If not, it is looked at again when one
   * of them ends, and after 5 ms at the latest, so that nothing waits behind a statement that hangs.
   */
  admits(items: number, beside: number): boolean {
    if (this.#holdIsOver || beside === 0 || items >= 4 ** beside) return true;
    if (this.#holdTimer === null) this.#holdTimer = time.setTimeout(() => this.#startAnyway(), longestHoldMs);
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
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  #startAnyway(): void {
    this.#holdTimer = null;
    this.#holdIsOver = true;
    this.#options.start();
    this.#holdIsOver = false;
  }
}

/** Longer than a claim of hundreds takes under full load. */
const longestHoldMs = 5;

interface CoalescerOptions<Item, Outcome> {
  /** Statements in flight. More than four rescan each other's locked rows (docs/design-choices.md). */
  readonly maxInFlight: number;
  /** Items of one statement. */
  readonly maxBatch: number;
  /** One outcome per item, in order. */
  run(batch: readonly Item[]): Promise<readonly Outcome[]>;
  /** The outcome of an item that failed alone by its own fault; null where the error is not the item's. */
  outcomeOf(item: Item, error: unknown): Outcome | null;
  /** Items with the same key never share a batch, and keep their order. */
  readonly keyOf?: (item: Item) => string;
}

/** The requester that waits for a submission. */
export interface Requester {
  /** Milliseconds after which an item that has not been sent is refused: it waits no longer than its requester does. */
  readonly withinMs?: number;
  /** True once it went away: an item that has not been sent then is never sent. */
  readonly isGone?: () => boolean;
}

/** Below the 12 s within which every request is answered (docs/runtime-semantics.md). */
const longestWaitMs = 10_000;
/** One timer for all waiting items: a timer for each would cost a push on an idle database a twentieth. */
const lookEveryMs = 500;

/** An item that waits: the one at that place of its request. */
interface Submission<Item, Outcome> {
  readonly item: Item;
  readonly at: number;
  readonly request: Request<Outcome>;
}

/** Items that were submitted together: one promise for all of them, not one for each. */
interface Request<Outcome> {
  readonly outcomes: Outcome[];
  /** How many have no outcome yet. */
  pending: number;
  /** time.monotonicMs() after which what was not sent is refused. */
  readonly until: number;
  readonly requester: Requester | undefined;
  readonly resolve: (outcomes: Outcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Batches the submissions of many requesters into statements, with no timer: on an idle system one waits for one turn of the
 * event loop and no longer.
 *
 * An item that Postgres cannot store fails alone: its batch is halved until only the item is left.
 *
 * While the database hangs, waiting items are refused after 10 s, and abandoned ones are not sent: otherwise a recovered
 * database would commit the work of minutes for requesters that left. The edges bound how much may wait (src/admission.ts).
 */
export class Coalescer<Item, Outcome> {
  readonly #options: CoalescerOptions<Item, Outcome>;
  #waiting: Submission<Item, Outcome>[] = [];
  readonly #busyKeys = new Set<string>();
  readonly #statements: StatementsInFlight;
  #inFlight = 0;
  #look: Timer | null = null;

  constructor(options: CoalescerOptions<Item, Outcome>) {
    this.#options = options;
    this.#statements = new StatementsInFlight({ most: options.maxInFlight, start: () => this.#start() });
  }

  /** One outcome per item, in order. Rejects where the database as a whole failed. */
  submit(items: readonly Item[], requester?: Requester): Promise<Outcome[]> {
    if (items.length === 0) return Promise.resolve([]);
    const until = time.monotonicMs() + (requester?.withinMs ?? longestWaitMs);
    const { promise, resolve, reject } = Promise.withResolvers<Outcome[]>();
    const request = {
      outcomes: Array.from<Outcome>({ length: items.length }),
      pending: items.length,
      until,
      requester,
      resolve,
      reject,
    };
    for (const [at, item] of items.entries()) this.#waiting.push({ item, at, request });
    this.#statements.schedule();
    if (this.#look === null) this.#look = time.setTimeout(() => this.#refuseLate(), lookEveryMs).unref();
    return promise;
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#waiting.length > 0 || this.#inFlight > 0) {
      await this.#statements.settled();
      if (this.#waiting.length > 0) await new Promise<void>((resolve) => time.setImmediate(resolve));
    }
  }

  /** Drops items that waited too long, and items whose requester left. */
  #refuseLate(): void {
    const now = time.monotonicMs();
    const over = new Set(
      this.#waiting.filter(({ request: { until, requester } }) => until <= now || requester?.isGone?.() === true),
    );
    if (over.size > 0) this.#waiting = this.#waiting.filter((submission) => !over.has(submission));
    for (const { request } of over) request.reject(late());
    this.#look = this.#waiting.length === 0 ? null : time.setTimeout(() => this.#refuseLate(), lookEveryMs).unref();
  }

  #start(): void {
    if (this.#statements.full || this.#waiting.length === 0) return;
    if (!this.#statements.admits(this.#waiting.length, this.#inFlight)) return;
    const batch = this.#take();
    if (batch.length === 0) return;
    this.#inFlight += 1;
    this.#statements.add(
      this.#settle(batch).finally(() => {
        this.#inFlight -= 1;
        for (const { item } of batch) this.#release(item);
      }),
    );
  }

  #take(): Submission<Item, Outcome>[] {
    const { maxBatch } = this.#options;
    if (this.#options.keyOf === undefined) return this.#waiting.splice(0, maxBatch);
    const batch: Submission<Item, Outcome>[] = [];
    const later: Submission<Item, Outcome>[] = [];
    const passed = new Set<string>();
    for (const submission of this.#waiting) {
      const key = this.#options.keyOf(submission.item);
      if (batch.length < maxBatch && !this.#busyKeys.has(key) && !passed.has(key)) {
        this.#busyKeys.add(key);
        batch.push(submission);
      } else {
        passed.add(key);
        later.push(submission);
      }
    }
    this.#waiting = later;
    return batch;
  }

  #release(item: Item): void {
    if (this.#options.keyOf !== undefined) this.#busyKeys.delete(this.#options.keyOf(item));
  }

  async #settle(batch: readonly Submission<Item, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.#options.run(batch.map(({ item }) => item));
      batch.forEach((submission, index) => settle(submission, outcomes[index] as Outcome));
    } catch (error) {
      if (batch.length > 1 && ofOneItem.has(codeOf(error))) {
        const middle = batch.length >> 1;
        await this.#settle(batch.slice(0, middle));
        await this.#settle(batch.slice(middle));
        return;
      }
      for (const submission of batch) {
        const outcome = ofOneItem.has(codeOf(error)) ? this.#options.outcomeOf(submission.item, error) : null;
        if (outcome === null) submission.request.reject(error);
        else settle(submission, outcome);
      }
    }
  }
}

function settle<Outcome>({ at, request }: Submission<unknown, Outcome>, outcome: Outcome): void {
  request.outcomes[at] = outcome;
  request.pending -= 1;
  if (request.pending === 0) request.resolve(request.outcomes);
}

/** Errors that one item of a batch may cause; any other concerns the whole batch. */
const ofOneItem: ReadonlySet<string> = new Set(['BAD_REQUEST', 'INVALID_REQUEST', 'CONFLICT', 'RANK_FAILED']);

function late(): RotaError {
  return new RotaError('DATABASE_UNAVAILABLE', 'the database did not take it in time, and it was not sent: try again');
}
