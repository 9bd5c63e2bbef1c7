import type { EffectiveValue } from '../config/config.ts';
import { RotaError } from '../errors.ts';
import { type Audit, command, nothing, type OperatorCommand } from './operator-command.ts';

export interface PlaceDesk {
  readonly instance: string;
  readonly effectiveConfig: () => readonly EffectiveValue[];
  /** Ends this supervisor as a signal would; null where whoever runs it does not let it. */
  readonly stop: (() => void) | null;
  readonly audit: Audit;
}

/** What is about one supervisor as a whole. */
export function placeCommands({ instance, effectiveConfig, stop, audit }: PlaceDesk): readonly OperatorCommand[] {
  return [
    command('config', nothing, async () => ({ instance, values: effectiveConfig() })),

    command('drain', nothing, async (_body, { by }) => {
      if (stop === null) throw new RotaError('CONFLICT', `supervisor ${instance} is not its process's own: end that`);
      audit('drain', by, { instance });
      // The drain waits for requests in flight, so that this answer still goes out.
      setImmediate(stop);
      return { draining: instance };
    }),
  ];
}
