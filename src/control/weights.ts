import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { WeightView } from '../protocol/operator.ts';
import { query, type Sql, statement, transact } from '../postgres/pool.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { type CommandAudit, command, nothing, type OperatorCommand } from './operator-command.ts';

export interface WeightPorts {
  readonly sql: Sql;
  readonly schedulerIds: readonly string[];
  readonly audit: CommandAudit;
}

const key = z.strictObject({
  scheduler: shortText(lengths.name).min(1),
  organisation: shortText(lengths.organisation).min(1),
});

/**
 * Shares of organisations for a fair ranker: one of weight 2 is served twice as often as one of 1. A change holds for what is queued
 * from then on, and after a rerank for all of it (docs/queue-semantics.md, "Fair share").
 */
export function weightCommands({ sql, schedulerIds, audit }: WeightPorts): readonly OperatorCommand[] {
  const set = async (by: string | null, scheduler: string, organisation: string, weight: number) => {
    if (!schedulerIds.includes(scheduler))
      throw new RotaError('NOT_FOUND', `no scheduler ${scheduler}; there are: ${schedulerIds.join(', ')}`);
    const [row] = await transact(() =>
      query<{ weight: number | null }>(sql, statement('maintenance/set-weight'), [scheduler, organisation, weight]),
    );
    const before = row!.weight ?? 1;
    audit('set-weight', by, { scheduler, organisation, weight, before });
    return { weight, before };
  };
  return [
    command('weights', nothing, async () => ({
      results: await transact(() => query<WeightView>(sql, statement('maintenance/weights'), [])),
    })),

    command(
      'set-weight',
      key.extend({ weight: z.number().min(0.001).max(1_000) }),
      async ({ scheduler, organisation, weight }, { by }) => set(by, scheduler, organisation, weight),
    ),

    command('unset-weight', key, async ({ scheduler, organisation }, { by }) => set(by, scheduler, organisation, 1)),
  ];
}
