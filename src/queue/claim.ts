import { emit } from '../telemetry/events.ts';
import type { FilterRequest } from './filter.ts';
import { type CompiledFilter, compileFilter } from './filter-sql.ts';
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
  { scheduler, taskType }: { scheduler: string; taskType: string },
  wants: readonly Want[],
  filters: FilterRequest | null,
): Promise<readonly ClaimRow[]> {
  const { text, values } = claimStatement(filters, taskType);
  const slots = wants.map(({ units, worker, via, leaseMs }) => ({ units, worker, via, lease_ms: leaseMs }));
  const units = wants.reduce((sum, want) => sum + want.units, 0);
  const started = performance.now();
  const rows = await transact(() => query<ClaimRow>(sql, text, [scheduler, units, JSON.stringify(slots), ...values]));
  emit({
    name: 'claim.completed',
    scheduler,
    waiters: wants.length,
    rows: rows.length,
    ms: performance.now() - started,
  });
  return rows;
}

/** claim.sql for one shape of filter. Exported for the tests that look at its plan. */
export function claimStatement(
  filters: FilterRequest | null,
  taskType: string,
): { text: string; values: readonly unknown[] } {
  const filter: CompiledFilter =
    filters === null
      ? { text: 'true', values: [] }
      : compileFilter(filters, { target: 'queue', firstParameter: firstFilterValue, taskType });
  const source =
    filter.merge === undefined ? 'queue q' : mergeOf(filter.merge, firstFilterValue + filter.values.length);
  return {
    text: statement('claim')
      .replaceAll('{filter}', () => filter.text)
      .replaceAll('{source}', () => source)
      .replaceAll('{order}', filter.merge === undefined ? 'q' : 'm'),
    values: [...filter.values, ...(filter.merge?.values ?? [])],
  };
}

const firstFilterValue = 4;

/**
 * One scan in pop order for each value, merged as far as the claim reads: an index on the column cannot give the rows of
 * two values in pop order, and sorting all of them would read the queue at every pop.
 */
function mergeOf({ column, values }: NonNullable<CompiledFilter['merge']>, firstParameter: number): string {
  const scans = values.map(
    (_value, index) =>
      `SELECT rank, created_at, id FROM queue
       WHERE scheduler = $1 AND NOT held AND ${column} = $${firstParameter + index}`,
  );
  return `(${scans.join(' UNION ALL ')}) AS m (rank, created_at, id) JOIN queue q
    ON q.scheduler = $1 AND NOT q.held AND q.rank = m.rank AND q.created_at = m.created_at AND q.id = m.id`;
}
