import { setTimeout as delay } from 'node:timers/promises';
import { emit } from '../telemetry/events.ts';
import { query, type Sql, statement, transact } from './postgres.ts';

export interface RetentionOptions {
  readonly sql: Sql;
  /** 0 keeps everything. */
  readonly days: number;
  readonly gracePeriodSeconds: number;
  onError(error: unknown): void;
}

interface Stretch {
  readonly looked: number;
  readonly removed: number;
  readonly created_at: string | null;
  readonly id: string | null;
}

/** Tasks of one statement: some 20 ms, between which pops and pushes go on. */
const perStretch = 1_000;
const pauseMs = 100;
/** From the end of one walk to the next: what is a day too old may be an hour older. */
const everyMs = 3_600_000;
const beginning = { created_at: '-infinity', id: '00000000-0000-0000-0000-000000000000' };

/** Walks the old end of `tasks` once an hour and removes what is finished and no longer needed; off where `days` is 0. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.days > 0) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** One walk over everything that is old enough. @returns how many tasks it removed */
  async walk(): Promise<number> {
    const { sql, days, gracePeriodSeconds } = this.#options;
    let from: { readonly created_at: string; readonly id: string } = beginning;
    let removed = 0;
    while (!this.#stop.signal.aborted) {
      const values = [days, gracePeriodSeconds, from.created_at, from.id, perStretch];
      const [stretch] = await transact(() => query<Stretch>(sql, statement('retire'), values));
      removed += stretch!.removed;
      if (stretch!.created_at === null || stretch!.id === null || stretch!.looked < perStretch) break;
      from = { created_at: stretch!.created_at, id: stretch!.id };
      await delay(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
    if (removed > 0) emit({ name: 'tasks.removed', count: removed });
    return removed;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.walk().catch((error: unknown) => this.#options.onError(error));
      await delay(everyMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }
}
