import type { Sql } from '../../src/queue/postgres.ts';
import { queueUpTo } from './seed.ts';

/** Keeps a queue at its depth between samples. Counting ten million rows takes a second: it counts what is taken. */
export class Backlog {
  readonly #sql: Sql;
  readonly #depth: number;
  #taken = 0;

  constructor(sql: Sql, depth: number) {
    this.#sql = sql;
    this.#depth = depth;
  }

  took(tasks: number): number {
    this.#taken += tasks;
    return tasks;
  }

  async refill(): Promise<void> {
    if (this.#taken < this.#depth * mostMissing(this.#depth)) return;
    this.#taken = 0;
    await queueUpTo(this.#sql, this.#depth);
  }
}

/** A tenth of a deep queue is nothing; a queue of 100 000 is filled up each time. */
function mostMissing(depth: number): number {
  return depth >= 1_000_000 ? 0.1 : 0.01;
}
