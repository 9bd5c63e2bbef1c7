import type { Sql } from '../../src/postgres/pool.ts';
import { queueUpTo } from './seed.ts';

/** Keeps a queue at its depth between samples. Counting ten million rows takes a second: it counts what is taken. */
export class Backlog {
  readonly #sql: Sql;
  readonly #depth: number;
  readonly #mostMissing: number;
  #taken = 0;

  /** @param mostMissing share of the depth; a tenth of a deep queue is nothing, one of 100 000 is filled up each time. */
  constructor(sql: Sql, depth: number, mostMissing = depth >= 1_000_000 ? 0.1 : 0.01) {
    this.#sql = sql;
    this.#depth = depth;
    this.#mostMissing = mostMissing;
  }

  took(tasks: number): number {
    this.#taken += tasks;
    return tasks;
  }

  async refill(): Promise<void> {
    if (this.#taken < this.#depth * this.#mostMissing) return;
    this.#taken = 0;
    await queueUpTo(this.#sql, this.#depth);
  }
}
