import { z } from 'zod';
import type { PartRates } from '../observation/part-rates.ts';
import type { QueuePartView } from '../protocol/operator-status.ts';
import { type NamesRequest, type StoredKind, storedKinds } from '../queue/lists/names.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { type QueuePart, queueParts } from '../tasks/task.ts';
import { command, type SomeCommands } from './operator-command.ts';
import { listedText } from './paging.ts';
import { requireScheduler } from './queues.ts';

export interface LookPorts {
  readonly schedulerIds: readonly string[];
  /** A scheduler's queue by organisation, boefje or image. */
  readonly queueBy: (scheduler: string, by: QueuePart) => Promise<readonly QueuePartView[]>;
  readonly partRates: Pick<PartRates, 'of'>;
  readonly names: (kind: StoredKind, request: NamesRequest) => Promise<readonly string[]>;
  readonly supervision: Pick<Supervision, 'status'>;
}

/** Bounded looks, which screens and shells repeat. */
export function lookCommands({ schedulerIds, queueBy, partRates, names, supervision }: LookPorts) {
  const wanted = (scheduler: string | undefined) => {
    if (scheduler === undefined) return schedulerIds;
    requireScheduler(schedulerIds, scheduler);
    return [scheduler];
  };
  return {
    'queue-by': command(
      'read',
      z.strictObject({ scheduler: shortText(lengths.name).min(1).optional(), by: z.enum(queueParts) }),
      async ({ scheduler, by }) => {
        return { results: (await Promise.all(wanted(scheduler).map((id) => queueBy(id, by)))).flat() };
      },
    ),

    // From memory, of this supervisor.
    'queue-rates': command(
      'read',
      z.strictObject({ scheduler: shortText(lengths.name).min(1).optional(), by: z.enum(['organisation', 'boefje']) }),
      async ({ scheduler, by }) => ({ results: wanted(scheduler).flatMap((id) => partRates.of(id, by)) }),
    ),

    names: command(
      'read',
      z.strictObject({
        kind: z.enum(['scheduler', 'actor', ...storedKinds]),
        prefix: listedText(lengths.name).default(''),
        scheduler: shortText(lengths.name).min(1).optional(),
        limit: z.int().min(1).max(100).default(20),
      }),
      async ({ kind, prefix, scheduler, limit }) => {
        const schedulers = wanted(scheduler);
        const beginning = (all: readonly string[]) => all.filter((it) => it.startsWith(prefix)).slice(0, limit);
        if (kind === 'scheduler') return { results: beginning(schedulers) };
        if (kind === 'actor') return { results: beginning(supervision.status().map(({ name }) => name)) };
        return { results: await names(kind, { schedulers, prefix, limit }) };
      },
    ),
  } satisfies SomeCommands;
}
