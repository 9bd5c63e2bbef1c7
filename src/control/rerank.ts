import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { lengths, shortText } from '../tasks/lengths.ts';
import { type Audit, command, type OperatorCommand } from './operator-command.ts';

export interface RerankDesk {
  readonly instance: string;
  readonly schedulerIds: readonly string[];
  /** Ranks everything queued anew; `report` counts tasks looked at and moved. */
  readonly rerank: (scheduler: string, report: (looked: number, moved: number) => void) => Promise<void>;
  readonly audit: Audit;
}

interface Run {
  looked: number;
  moved: number;
  readonly finished: Promise<void>;
}

/** Below the 10 s that a client waits. */
const answerWithinMs = 5_000;

/** `rerank`: begins, or joins the run that is under way here. Ask `instance` again until `complete`. */
export function rerankCommands({ instance, schedulerIds, rerank, audit }: RerankDesk): readonly OperatorCommand[] {
  const runs = new Map<string, Run>();

  const begin = (scheduler: string): Run => {
    const run = { looked: 0, moved: 0 };
    const finished = rerank(scheduler, (looked, moved) => {
      run.looked += looked;
      run.moved += moved;
    });
    // Whoever asks next hears of it.
    finished.catch(() => {});
    const started = Object.assign(run, { finished });
    runs.set(scheduler, started);
    return started;
  };

  return [
    command('rerank', z.strictObject({ scheduler: shortText(lengths.name) }), async ({ scheduler }, { by }) => {
      if (!schedulerIds.includes(scheduler)) {
        throw new RotaError('NOT_FOUND', `no scheduler ${scheduler}; there are: ${schedulerIds.join(', ')}`);
      }
      const run = runs.get(scheduler) ?? begin(scheduler);
      try {
        const complete = await Promise.race([
          run.finished.then(() => true),
          delay(answerWithinMs, false, { ref: false }),
        ]);
        if (complete && runs.delete(scheduler)) audit('rerank', by, { scheduler, tasks: run.looked, moved: run.moved });
        return { instance, looked: run.looked, moved: run.moved, complete };
      } catch (error) {
        runs.delete(scheduler);
        throw error;
      }
    }),
  ];
}
