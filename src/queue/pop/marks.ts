import { RotaError } from '../../errors.ts';
import { query, type Sql, statement, transact, transaction } from '../../postgres/pool.ts';
import { databaseError, sqlState } from '../../postgres/sql-states.ts';
import type { VirtualTime } from '../push/push-statement.ts';
import { time, type Timer } from '../../time-and-chance.ts';

/** Entries of popped rows that a claim may walk past before the mark follows: a fifth of a millisecond's worth. */
const raiseAfterRows = 2_000;
/** The mark is one row: under an old snapshot each move leaves a version that every claim then walks over. */
const raiseEveryMs = 250;
/** A raise waits for pushes in flight and holds up those that come: it gives up before it costs them more than this. */
const lockTimeoutMs = 20;
/** Together with the scheduler's hash: rota_lower_floor in sql/migrations. */
const lockClass = 7_682_119;
const lockNotAvailable = '55P03';

/**
 * Keeps the low-water mark of one scheduler's queue (table queue_floors) close behind its claims;
 * docs/queue-semantics.md, "low-water mark".
 */
export class LowWaterMark {
  readonly #sql: Sql;
  readonly #scheduler: string;
  readonly #onError: (error: unknown) => void;
  #rows = 0;
  #raisedAt = 0;
  #raising: Promise<void> | null = null;

  constructor(sql: Sql, scheduler: string, onError: (error: unknown) => void) {
    this.#sql = sql;
    this.#scheduler = scheduler;
    this.#onError = onError;
  }

  /** After a claim of so many rows: raises the mark in the background where that is worth it. */
  claimed(rows: number): void {
    this.#rows += rows;
    if (this.#rows < raiseAfterRows || time.monotonicMs() - this.#raisedAt < raiseEveryMs) return;
    this.#raising ??= this.raise().finally(() => {
      this.#raising = null;
      this.#raisedAt = time.monotonicMs();
    });
  }

  /** Never rejects: a mark that is too low costs claims time, nothing else. What fails but for the wait goes to `onError`. */
  async raise(): Promise<void> {
    this.#rows = 0;
    try {
      await transaction(this.#sql, async (raising) => {
        await query(raising, `SET LOCAL lock_timeout = ${lockTimeoutMs}`, [], { prepare: false });
        await query(raising, 'SELECT pg_advisory_xact_lock($1::integer, hashtext($2))', [lockClass, this.#scheduler]);
        await query(raising, statement('pop/raise-low-water-mark'), [this.#scheduler]);
      });
    } catch (error) {
      if (sqlState(error) === lockNotAvailable) return;
      const { code, message, fields } = databaseError(error);
      this.#onError(
        new RotaError(code, `low-water mark of ${this.#scheduler} not raised: ${message}`, {
          cause: error,
          fields: { ...fields },
        }),
      );
    }
  }

  /** Resolves when nothing is being raised. */
  async idle(): Promise<void> {
    await this.#raising;
  }
}

/**
 * How long another supervisor may not know of what this one dispatched. To store them with each claim would let the claims of a
 * scheduler wait for each other's commit.
 */
export const saveEveryMs = 250;
/**
 * Ranks that a patch, or a push by another ranker, gives to what a person puts first: they move no virtual time. Below them are those
 * that fair-share deals out to such tasks, above them all others.
 */
const leastFirst = -2_147_483_648;
const first = 1;

/**
 * The virtual times of one scheduler as this supervisor's claims move them: of each image the greatest rank dispatched. They are
 * stored a quarter of a second later, in the background; what is lost with a killed process is as much.
 */
export class VirtualTimes {
  readonly #sql: Sql;
  readonly #scheduler: string;
  readonly #onError: (error: unknown) => void;
  readonly #unsaved = new Map<string, VirtualTime>();
  #timer: Timer | undefined;
  #saving: Promise<void> | null = null;

  constructor(sql: Sql, scheduler: string, onError: (error: unknown) => void) {
    this.#sql = sql;
    this.#scheduler = scheduler;
    this.#onError = onError;
  }

  /** Of claims in the order of ranks. A unit is what its first task is: the others of its group may be far behind. */
  dispatched(rows: readonly (VirtualTime & { readonly unit: number })[]): void {
    for (const [at, { image, rank, unit }] of rows.entries()) {
      if ((rank >= leastFirst && rank <= first) || unit === rows[at - 1]?.unit) continue;
      const key = keyOf({ image, rank });
      const known = this.#unsaved.get(key);
      if (known === undefined || rank > known.rank) this.#unsaved.set(key, { image, rank });
    }
    if (this.#unsaved.size > 0) this.#timer ??= time.setTimeout(() => void this.save(), saveEveryMs).unref();
  }

  /** Those that a statement may not find in the database. */
  unsaved(): readonly VirtualTime[] {
    return [...this.#unsaved.values()];
  }

  /** Another ranker ranks now: what it queues must not be measured by these. */
  async forget(): Promise<void> {
    const gone = transact(() => query(this.#sql, statement('pop/forget-virtual-times'), [this.#scheduler]));
    await gone.catch((error: unknown) => this.#onError(error));
  }

  /** Stores them now. Never rejects: what could not be stored is tried again with the next claim. */
  async save(): Promise<void> {
    time.clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#saving;
    const rising = this.unsaved().toSorted((a, b) =>
      a.image === b.image ? a.rank - b.rank : a.image < b.image ? -1 : 1,
    );
    if (rising.length === 0) return;
    this.#saving = transact(() =>
      query(this.#sql, statement('pop/raise-virtual-times'), [
        this.#scheduler,
        rising.map(({ image }) => image),
        rising.map(({ rank }) => rank),
      ]),
    ).then(
      () => {
        // Not remembered: the database forgets an image of which nothing is queued, and may then have a lower one stored again.
        for (const time of rising) if (this.#unsaved.get(keyOf(time)) === time) this.#unsaved.delete(keyOf(time));
      },
      (error: unknown) => this.#onError(error),
    );
    await this.#saving;
  }
}

/** What a person put first has a virtual time of its own. */
function keyOf({ image, rank }: VirtualTime): string {
  return rank < leastFirst ? `${image}\0` : image;
}

/** Those of every scheduler. */
export class AllVirtualTimes {
  readonly #sql: Sql;
  readonly #onError: (error: unknown) => void;
  readonly #schedulers = new Map<string, VirtualTimes>();

  constructor(sql: Sql, onError: (error: unknown) => void) {
    this.#sql = sql;
    this.#onError = onError;
  }

  of(scheduler: string): VirtualTimes {
    const known = this.#schedulers.get(scheduler);
    if (known !== undefined) return known;
    const made = new VirtualTimes(this.#sql, scheduler, this.#onError);
    this.#schedulers.set(scheduler, made);
    return made;
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#schedulers.values()].map((times) => times.save()));
  }
}
