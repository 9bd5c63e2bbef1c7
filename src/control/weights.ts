import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { ChangedWeight, WeightView } from '../protocol/operator.ts';
import { query, type Sql, statement, transact } from '../postgres/pool.ts';
import { lengths, shortText, weightRange } from '../tasks/limits.ts';
import { type CommandAudit, command, type SomeCommands } from './operator-command.ts';

export interface WeightPorts {
  readonly sql: Sql;
  readonly schedulerIds: readonly string[];
  readonly audit: CommandAudit;
}

/**
 * Shares of organisations for a fair ranker: one of weight 2 is served twice as often as one of 1. A change holds for what is queued
 * from then on, and after a rerank for all of it (docs/queue-semantics.md, "Fair share").
 */
export interface Weights {
  /** Those that are not 1, by scheduler and organisation: `results` is a JSON array of {scheduler, organisation, weight}. */
  list(bounds: { readonly limit: number; readonly offset: number }): Promise<{ count: number; results: string }>;
  /** 1 takes it back. @throws RotaError NOT_FOUND for a scheduler that there is not */
  set(scheduler: string, organisation: string, weight: number): Promise<ChangedWeight>;
}

export function createWeights(sql: Sql, schedulerIds: readonly string[]): Weights {
  return {
    async list({ limit, offset }) {
      const [page] = await transact(() =>
        query<{ count: number; results: string }>(sql, statement('maintenance/weights'), [limit, offset]),
      );
      return page!;
    },
    async set(scheduler, organisation, weight) {
      if (!schedulerIds.includes(scheduler))
        throw new RotaError('NOT_FOUND', `no scheduler ${scheduler}; there are: ${schedulerIds.join(', ')}`);
      const [row] = await transact(() =>
        query<{ weight: number | null }>(sql, statement('maintenance/set-weight'), [scheduler, organisation, weight]),
      );
      return { weight, before: row!.weight ?? 1 };
    },
  };
}

/** Of the longest organisations, escaped, so many fit into one message of NATS: 1 MB. */
const mostListed = 200;

const page = z.strictObject({
  limit: z.int().min(0).max(mostListed).default(mostListed),
  offset: z.int().min(0).default(0),
});

const key = z.strictObject({
  scheduler: shortText(lengths.name).min(1),
  organisation: shortText(lengths.organisation)
    .min(1)
    .refine((text) => !text.includes('\0'), { message: 'no NUL' }),
});

export function weightCommands({ sql, schedulerIds, audit }: WeightPorts) {
  const weights = createWeights(sql, schedulerIds);
  const set = async (by: string | null, scheduler: string, organisation: string, weight: number) => {
    const changed = await weights.set(scheduler, organisation, weight);
    audit('set-weight', by, { scheduler, organisation, ...changed });
    return changed;
  };
  return {
    weights: command('read', page.nullish(), async (body) => {
      const { count, results } = await weights.list(body ?? { limit: mostListed, offset: 0 });
      return { count, results: JSON.parse(results) as WeightView[] };
    }),

    'set-weight': command(
      'operate',
      key.extend({ weight: z.number().min(weightRange.least).max(weightRange.most) }),
      async ({ scheduler, organisation, weight }, { by }) => set(by, scheduler, organisation, weight),
    ),

    'unset-weight': command('operate', key, async ({ scheduler, organisation }, { by }) =>
      set(by, scheduler, organisation, 1),
    ),
  } satisfies SomeCommands;
}
