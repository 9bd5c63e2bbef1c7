import { RotaError } from '../../errors.ts';
import { failureOf, FailureError, type Result } from '../../mailbox/failure.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { Coalescer, type Requester } from '../batching.ts';
import { leaseLost } from '../settle/settle.ts';

/** With a lease: only for its holder. */
interface Read {
  readonly id: string;
  readonly leaseId: string | null;
}

interface ReadRow {
  readonly id: string;
  readonly task: string;
  readonly held_by: string | null;
  readonly settled_by: string | null;
}

/** Single tasks by id: reads that arrive while a statement runs share the next one. */
export class TaskReads {
  readonly #sql: Sql;
  readonly #coalescer: Coalescer<Read, Result<string | null>>;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#coalescer = new Coalescer<Read, Result<string | null>>({
      maxInFlight: 4,
      maxBatch: 500,
      run: (wanted) => this.#read(wanted),
      outcomeOf: (_read, error) => ({ ok: false, failure: failureOf(error) }),
    });
  }

  /** @returns JSON text, or null where there is no such task. @throws FailureError LEASE_LOST, DATABASE_UNAVAILABLE */
  async read({ id, leaseId }: Read, requester: Requester | undefined): Promise<string | null> {
    const [read] = await this.#coalescer.submit([{ id: id.toLowerCase(), leaseId }], requester);
    // Not null: the caller would take an outage for a task that is gone.
    if (!read!.ok) throw new FailureError(read!.failure);
    return read!.value;
  }

  idle(): Promise<void> {
    return this.#coalescer.idle();
  }

  async #read(wanted: readonly Read[]): Promise<readonly Result<string | null>[]> {
    const ids = wanted.map(({ id }) => id);
    const rows = await transact(() => query<ReadRow>(this.#sql, statement('lists/read'), [ids]));
    const found = new Map(rows.map((row) => [row.id, row]));
    return wanted.map(({ id, leaseId }) => {
      const row = found.get(id);
      const held =
        row === undefined || leaseId === null || [row.held_by, row.settled_by].includes(leaseId.toLowerCase());
      if (held) return { ok: true, value: row?.task ?? null };
      return { ok: false, failure: failureOf(new RotaError('LEASE_LOST', leaseLost(id, leaseId))) };
    });
  }
}
