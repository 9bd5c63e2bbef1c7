import { RotaError } from '../../errors.ts';
import { query, type Sql, statement, transaction } from '../../postgres/pool.ts';
import { databaseError, sqlState } from '../../postgres/sql-states.ts';

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
    if (this.#rows < raiseAfterRows || performance.now() - this.#raisedAt < raiseEveryMs) return;
    this.#raising ??= this.raise().finally(() => {
      this.#raising = null;
      this.#raisedAt = performance.now();
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
