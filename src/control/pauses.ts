import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { Pause, PauseKey, Pauses } from '../queue/maintenance/pauses.ts';
import type { Purged } from '../queue/settle/cancellation.ts';
import { lengths, shortText } from '../tasks/lengths.ts';
import { type Audit, command, nothing, type OperatorCommand } from './operator-command.ts';

export interface PauseDesk {
  readonly pauses: Pick<Pauses, 'pause' | 'resume' | 'list'>;
  readonly schedulerIds: readonly string[];
  readonly purge: (organisation: string) => Promise<Purged>;
  readonly audit: Audit;
}

const key = z.strictObject({
  scheduler: shortText(lengths.name).min(1),
  organisation: shortText(lengths.organisation).min(1).nullish(),
  boefje: shortText(lengths.name).min(1).nullish(),
});

/** What keeps tasks from being handed out, and what takes an organisation out of everything. */
export function pauseCommands({ pauses, schedulerIds, purge, audit }: PauseDesk): readonly OperatorCommand[] {
  return [
    command('pauses', nothing, async () => ({ results: (await pauses.list()).map(shown) })),

    // Again and again until `complete`: a queue of a million takes longer than a request may.
    command('pause', key, async (body, { by }) => {
      const of = keyOf(body);
      if (!schedulerIds.includes(of.scheduler)) {
        throw new RotaError('NOT_FOUND', `no scheduler ${of.scheduler}; there are: ${schedulerIds.join(', ')}`);
      }
      const { moved, complete } = await pauses.pause(of, by);
      audit('pause', by, { ...of, tasks: moved });
      return { held: moved, complete };
    }),

    command('resume', key, async (body, { by }) => {
      const of = keyOf(body);
      const moved = await pauses.resume(of);
      if (moved === null) throw await notPaused(pauses);
      audit('resume', by, { ...of, tasks: moved.moved });
      return { released: moved.moved, complete: moved.complete };
    }),

    command(
      'purge',
      z.strictObject({ organisation: shortText(lengths.organisation).min(1) }),
      async ({ organisation }, { by }) => {
        const purged = await purge(organisation);
        audit('purge', by, { organisation, ...purged });
        return purged;
      },
    ),
  ];
}

function keyOf({ scheduler, organisation, boefje }: z.output<typeof key>): PauseKey {
  return { scheduler, organisation: organisation ?? null, plugin: boefje ?? null };
}

function shown({ scheduler, organisation, plugin, pausedBy, since }: Pause): object {
  return { scheduler, organisation, boefje: plugin, paused_by: pausedBy, since };
}

async function notPaused(pauses: PauseDesk['pauses']): Promise<RotaError> {
  const texts = (await pauses.list()).map(({ scheduler, organisation, plugin }) =>
    [scheduler, organisation ?? 'every organisation', plugin ?? 'every boefje'].join(' / '),
  );
  return new RotaError('NOT_FOUND', `this is not paused; paused are: ${texts.join(', ') || 'none'}`);
}
