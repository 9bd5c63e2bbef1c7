import { z } from 'zod';
import type { PartRates } from '../observation/part-rates.ts';
import type { QueuePartView } from '../protocol/queue-parts.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { type QueuePart, queueParts } from '../tasks/task.ts';
import { command, type OperatorCommand } from './operator-command.ts';
import { requireScheduler } from './queues.ts';

export interface LookPorts {
  readonly schedulerIds: readonly string[];
  /** A scheduler's queue by organisation, boefje or image. */
  readonly queueBy: (scheduler: string, by: QueuePart) => Promise<readonly QueuePartView[]>;
  readonly partRates: Pick<PartRates, 'of'>;
}

/** Bounded looks at queues, which screens repeat. */
export function lookCommands({ schedulerIds, queueBy, partRates }: LookPorts): readonly OperatorCommand[] {
  const wanted = (scheduler: string | undefined) => {
    if (scheduler === undefined) return schedulerIds;
    requireScheduler(schedulerIds, scheduler);
    return [scheduler];
  };
  return [
    command(
      'queue-by',
      z.strictObject({ scheduler: shortText(lengths.name).min(1).optional(), by: z.enum(queueParts) }),
      async ({ scheduler, by }) => {
        return { results: (await Promise.all(wanted(scheduler).map((id) => queueBy(id, by)))).flat() };
      },
    ),

    // From memory, of this supervisor.
    command(
      'queue-rates',
      z.strictObject({ scheduler: shortText(lengths.name).min(1).optional(), by: z.enum(['organisation', 'boefje']) }),
      async ({ scheduler, by }) => ({ results: wanted(scheduler).flatMap((id) => partRates.of(id, by)) }),
    ),
  ];
}
