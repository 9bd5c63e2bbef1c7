import { Coalescer } from '../batching.ts';
import { type Sql, query, statement, transact } from '../../postgres/pool.ts';
import type { LeaseRef } from '../queue.ts';

/** A lease that its holder renews, for so long from now on; null keeps its length. */
interface Renewal extends LeaseRef {
  readonly leaseMs: number | null;
}

/** Heartbeats, in sets: those that arrive while a statement runs share the next one. The database's clock decides. */
export class Renewals {
  readonly #sql: Sql;
  readonly #coalescer: Coalescer<Renewal, boolean>;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#coalescer = new Coalescer<Renewal, boolean>({
      maxInFlight: 2,
      maxBatch: 1_000,
      run: (batch) => this.#run(batch),
      outcomeOf: () => null,
    });
  }

  async renew(leases: readonly LeaseRef[], leaseMs: number | null): Promise<{ renewed: string[]; lost: string[] }> {
    const renewals = leases.map(({ id, leaseId }) => ({
      id: id.toLowerCase(),
      leaseId: leaseId.toLowerCase(),
      leaseMs,
    }));
    const held = await this.#coalescer.submit(renewals);
    const idsOf = (wanted: boolean) => renewals.filter((_renewal, at) => held[at] === wanted).map(({ id }) => id);
    return { renewed: idsOf(true), lost: idsOf(false) };
  }

  idle(): Promise<void> {
    return this.#coalescer.idle();
  }

  /** For each, in order, whether its lease is held still. */
  async #run(batch: readonly Renewal[]): Promise<readonly boolean[]> {
    const lengths = batch.map(({ leaseMs }) => leaseMs);
    // Heartbeats of one fleet ask for the same length.
    const isOne = lengths.every((length) => length === lengths[0]);
    const rows = await transact(() =>
      query<{ task_id: string; lease_id: string }>(this.#sql, statement('settle/heartbeat'), [
        batch.map(({ id }) => id),
        batch.map(({ leaseId }) => leaseId),
        isOne ? lengths.slice(0, 1) : lengths,
      ]),
    );
    const held = new Set(rows.map((row) => `${row.task_id} ${row.lease_id}`));
    return batch.map(({ id, leaseId }) => held.has(`${id} ${leaseId}`));
  }
}
