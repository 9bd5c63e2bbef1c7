import { query, type Sql, statement, transaction } from '../../postgres/pool.ts';

/** Entries of popped rows that a claim may walk past before the floor follows: a fifth of a millisecond's worth. */
const raiseAfterRows = 2_000;
/** The floor is one row; under an old snapshot each move leaves a version that every claim then walks over. */
const raiseEveryMs = 250;
/** A raise waits for pushes in flight and holds up those that come: better no raise than that for longer. */
const lockTimeoutMs = 20;
/** Together with the scheduler's hash: rota_lower_floor in sql/migrations. */
const lockClass = 7_682_119;

/** Keeps the floor of one scheduler's queue close behind its claims; docs/queue-semantics.md, "Floor". */
export class Floor {
  readonly #sql: Sql;
  readonly #scheduler: string;
  #rows = 0;
  #raisedAt = 0;
  #raising: Promise<void> | null = null;

  constructor(sql: Sql, scheduler: string) {
    this.#sql = sql;
    this.#scheduler = scheduler;
  }

  /** So many rows were claimed: raises the floor in the background when it is worth it. */
  claimed(rows: number): void {
    this.#rows += rows;
    if (this.#rows < raiseAfterRows || performance.now() - this.#raisedAt < raiseEveryMs) return;
    this.#raising ??= this.raise().finally(() => {
      this.#raising = null;
      this.#raisedAt = performance.now();
    });
  }

  /** Never rejects: a floor that is too low costs time, nothing else. */
  async raise(): Promise<void> {
    this.#rows = 0;
    await transaction(this.#sql, async (raising) => {
      await query(raising, `SET LOCAL lock_timeout = ${lockTimeoutMs}`, [], { prepare: false });
      await query(raising, 'SELECT pg_advisory_xact_lock($1::integer, hashtext($2))', [lockClass, this.#scheduler]);
      await query(raising, statement('pop/raise-floor'), [this.#scheduler]);
    }).catch(() => {});
  }

  /** Resolves when nothing is being raised. */
  async idle(): Promise<void> {
    await this.#raising;
  }
}
