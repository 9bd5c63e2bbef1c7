import type { Command } from 'commander';
import { RotaError } from '../errors.ts';
import { confirm } from './confirm.ts';
import { print, remoteCommand, type RemoteOptions, tell, withRota } from './remote.ts';

interface DrainOptions extends RemoteOptions {
  readonly yes?: boolean;
}

/** `rota drain`: as SIGTERM does. */
export function drainCommand(): Command {
  return remoteCommand('drain', 'let a supervisor finish what it has in hand, and end', 'rota drain 1f0c9a3e --yes')
    .argument('[instance]', 'of rota status; needed where there are several')
    .option('--yes', 'do not ask')
    .action(async (instance: string | undefined, options: DrainOptions) => {
      const answer = await withRota(options, async (client) => {
        const instances = await client.instances();
        const chosen = instance ?? (instances.length === 1 ? instances[0] : undefined);
        if (chosen === undefined || !instances.includes(chosen)) {
          const there = instances.join(', ') || 'none';
          throw new RotaError(instance === undefined ? 'INVALID_REQUEST' : 'NOT_FOUND', `name a supervisor: ${there}`);
        }
        await confirm(`drain supervisor ${chosen}?`, options.yes === true);
        return tell<{ draining: string }>(client, 'drain', {}, chosen);
      });
      print(options, answer, ({ draining }) => `supervisor ${draining} drains and ends`);
    });
}
