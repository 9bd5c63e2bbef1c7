import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { LimitsView } from './view.ts';

/** Rows of one statement: some 10 ms during which claims step over them. */
const perBatch = 1_000;

interface Stretch {
  readonly held: number;
  readonly rank: string | null;
  readonly created_at: string;
  readonly id: string;
}

const beginning = { rank: '-9223372036854775808', created_at: '-infinity', id: '00000000-0000-0000-0000-000000000000' };

/**
 * Holds what was queued before a limit was set, from the head of each queue on: faster than workers claim. Walks again until no statement
 * of before the change can be under way any more. Several supervisors share the work: each steps over what another one has locked.
 *
 * @param onHeld called after each batch that held some
 */
export async function applyLimits(
  sql: Sql,
  { limits, now }: LimitsView,
  schedulerIds: readonly string[],
  signal: AbortSignal,
  onHeld: () => void,
): Promise<void> {
  for (const { name, version, scheduler } of limits.filter(({ isApplying }) => isApplying)) {
    for (const id of scheduler === null ? schedulerIds : [scheduler]) {
      let from: Pick<Stretch, 'rank' | 'created_at' | 'id'> = beginning;
      while (from.rank !== null && !signal.aborted) {
        const { rank, created_at, id: after } = from;
        const [row] = await transact(() =>
          query<Stretch>(sql, statement('limits/apply'), [name, perBatch, rank, created_at, after, id]),
        );
        if (row!.held > 0) onHeld();
        from = row!;
      }
    }
    if (!signal.aborted) await transact(() => query(sql, statement('limits/applied'), [name, version, now]));
  }
}
