import { emit } from '../telemetry/events.ts';
import type { FilterRequest } from './filter.ts';
import { compileFilter } from './filter-sql.ts';
import { type Sql, query, statement, transact } from './postgres.ts';

/** What one waiter asks of a claim. */
export interface Want {
  readonly units: number;
  readonly worker: string | null;
  readonly via: 'nats' | 'rest';
  readonly leaseMs: number;
}

export interface ClaimRow {
  /** 1, 2, … in pop order. */
  readonly unit: number;
  readonly id: string;
  readonly organisation: string;
  readonly attempts: number;
  readonly lease_id: string;
  readonly lease_until: string;
  readonly task: string;
}

/**
 * Claims for several waiters in one statement: unit n belongs to the waiter whose slots cover n. Rows come in pop order.
 * @throws RotaError INVALID_FILTER, DATABASE_UNAVAILABLE
 */
export async function claim(
  sql: Sql,
  scheduler: string,
  wants: readonly Want[],
  filters: FilterRequest | null,
): Promise<readonly ClaimRow[]> {
  const filter =
    filters === null ? { text: 'true', values: [] } : compileFilter(filters, { target: 'queue', firstParameter: 4 });
  const started = performance.now();
  const rows = await transact(() =>
    query<ClaimRow>(sql, statement('claim').replaceAll('{filter}', () => `(${filter.text})`), [
      scheduler,
      wants.reduce((sum, want) => sum + want.units, 0),
      JSON.stringify(
        wants.map(({ units, worker, via, leaseMs }) => ({ units, worker, via, lease_ms: leaseMs })),
      ),
      ...filter.values,
    ]),
  );
  emit({ name: 'claim.completed', scheduler, waiters: wants.length, rows: rows.length, ms: performance.now() - started });
  return rows;
}
