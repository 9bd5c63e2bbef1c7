import { setTimeout as delay } from 'node:timers/promises';
import { emit } from '../telemetry/events.ts';
import { foldCounts } from './counts.ts';
import { type Sql, query, statement, transact } from './postgres.ts';
import { type Change, type SettledTask, settle } from './settle.ts';

export interface SweeperOptions {
  readonly sql: Sql;
  /** Claims of one task before an expired lease fails it. */
  readonly maxAttempts: number;
  readonly gracePeriodSeconds: number;
  /** What a sweep changed: events and wakes. */
  onChanged(changes: readonly Change[], settled: readonly SettledTask[]): void;
  onError(error: unknown): void;
}

const everyMs = 1_000;
const perSweep = 500;
const aliveEveryMs = 60_000;

/**
 * Once a second: tasks whose lease has expired go back to the queue, or fail where they were claimed too often, or give
 * way to a twin that is queued. Several supervisors sweep the same table and skip what another one has locked.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** @returns how many expired leases it ended */
  async sweep(): Promise<number> {
    const { sql, maxAttempts, gracePeriodSeconds } = this.#options;
    const swept = await transact(() =>
      sql.begin(async (transaction) => {
        const locked = await query<{ id: string }>(transaction, statement('sweep-lock'), [perSweep]);
        if (locked.length === 0) return null;
        const expired = await query<{ id: string; lease_id: string; exhausted: boolean }>(
          transaction,
          statement('sweep-look'),
          [locked.map((row) => row.id), maxAttempts],
        );
        const changes = expired.map(({ id, lease_id, exhausted }): Change =>
          exhausted
            ? { id, leaseId: lease_id, status: 'failed', reason: 'lease-expired' }
            : { id, leaseId: lease_id, status: 'queued', superseded: true },
        );
        return { changes, settled: await settle(transaction, changes, gracePeriodSeconds) };
      }),
    );
    if (swept === null || swept.changes.length === 0) return 0;
    const count = (status: string) => swept.settled.filter((row) => row.code === null && row.status === status).length;
    emit({
      name: 'leases.expired',
      requeued: count('QUEUED'),
      failed: count('FAILED'),
      superseded: count('CANCELLED'),
    });
    this.#options.onChanged(swept.changes, swept.settled);
    return swept.changes.length;
  }

  /** What changed since the last time, into the counts that /tasks/stats reads. */
  async foldCounts(): Promise<void> {
    await foldCounts(this.#options.sql);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let alive = 0;
    while (!signal.aborted) {
      try {
        if (alive === 0 || performance.now() - alive > aliveEveryMs) {
          await query(this.#options.sql, statement('alive'), []);
          await query(this.#options.sql, statement('forget-counts'), []);
          alive = performance.now();
        }
        // A full sweep leaves more behind: a burst of expiries does not wait for its second.
        while (!signal.aborted && (await this.sweep()) === perSweep);
        await this.foldCounts();
      } catch (error) {
        this.#options.onError(error);
      }
      await delay(everyMs, null, { signal }).catch(() => {});
    }
  }
}
