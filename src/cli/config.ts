import type { Command } from 'commander';
import { effectiveConfig, readConfig } from '../config/config.ts';
import type { OperatorAnswers } from '../protocol/operator.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { tableOf } from './table.ts';

interface ConfigOptions extends RemoteOptions {
  readonly instance?: string;
  readonly local?: boolean;
  readonly all?: boolean;
}

export function configCommand(): Command {
  return remoteCommand('config', 'the configuration in use, and where each value comes from', 'rota config --local')
    .option('--instance <id>', 'of this supervisor; any answers where absent')
    .option('--local', "of this shell's environment; asks no supervisor")
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

/** `instance` is null for the configuration of this shell. */
interface ConfigAnswer extends Omit<OperatorAnswers['config'], 'instance'> {
  readonly instance: string | null;
}

function local(): ConfigAnswer {
  return { instance: null, values: effectiveConfig(readConfig(process.env), process.env) };
}

function remote(options: ConfigOptions): Promise<ConfigAnswer> {
  return withRota(options, (client) => request(client, 'config', {}, options.instance));
}
