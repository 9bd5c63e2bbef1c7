import type { Command } from 'commander';
import { effectiveConfig, type EffectiveValue, readConfig } from '../config/config.ts';
import { print, remoteCommand, type RemoteOptions, tell, withRota } from './remote.ts';
import { tableOf } from './table.ts';

interface ConfigOptions extends RemoteOptions {
  readonly instance?: string;
  readonly local?: boolean;
  readonly all?: boolean;
}

/** `rota config`. */
export function configCommand(): Command {
  return remoteCommand('config', 'the configuration in use, and where each value comes from', 'rota config --local')
    .option('--instance <id>', 'of this supervisor; any answers where absent')
    .option('--local', "of this shell's environment, with nobody asked")
    .option('--all', 'defaults, too')
    .action(async (options: ConfigOptions) => {
      const answer = options.local === true ? local() : await remote(options);
      const values = options.all === true ? answer.values : answer.values.filter(({ from }) => from !== 'default');
      print(options, { ...answer, values }, (it) =>
        tableOf(
          ['VARIABLE', 'VALUE', 'FROM'],
          it.values.map(({ name, value, from }) => [name, value, from]),
        ),
      );
    });
}

interface Answer {
  /** Null for this shell's. */
  readonly instance: string | null;
  readonly values: readonly EffectiveValue[];
}

function local(): Answer {
  return { instance: null, values: effectiveConfig(readConfig(process.env), process.env) };
}

function remote(options: ConfigOptions): Promise<Answer> {
  return withRota(options, (client) => tell<Answer>(client, 'config', {}, options.instance));
}
