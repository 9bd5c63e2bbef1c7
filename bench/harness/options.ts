import { Command, InvalidArgumentError, Option } from 'commander';

interface BenchOptions {
  /** Names of suites; empty for all. */
  readonly only: readonly string[];
  readonly json: boolean;
  readonly quick: boolean;
  /** Where the JSON line is written, too. */
  readonly save?: string;
  /** Folder that is drawn into. */
  readonly plots?: string;
  /** Looks for the settings of this machine instead. */
  readonly tune: boolean;
  /** Folder of another checkout to compare this one with, instead. */
  readonly against?: string;
}

/** @param suites name → what it answers, for `--help` and for the error about an unknown name. */
export function readOptions(argv: readonly string[], suites: ReadonlyMap<string, string>): BenchOptions {
  const names = (text: string): string[] => {
    const wanted = text.split(',').map((name) => name.trim());
    const unknown = wanted.find((name) => !suites.has(name));
    if (unknown === undefined) return wanted;
    throw new InvalidArgumentError(`no suite ${unknown}; there are: ${[...suites.keys()].join(', ')}`);
  };
  const table = [...suites].map(([name, about]) => `  ${name.padEnd(14)}${about}`).join('\n');
  const command = new Command('bench')
    .description('Measures Rota, its peers and its limits on this machine; docs/benchmarks.md explains each case.')
    .option('--only <suites>', 'these suites, comma-separated', names, [])
    .option('--json', 'end with one line of JSON', false)
    .option('--save <file>', 'write that line into a file')
    .option('--plots <dir>', 'draw the figures into a folder')
    .option('--quick', 'shorter samples, queues of 10 000 and 100 000', false)
    .addOption(
      new Option('--tune', 'look for the settings that are best on this machine (docs/tuning.md)')
        .default(false)
        .conflicts(['only', 'plots']),
    )
    .addOption(
      new Option(
        '--against <folder>',
        'hold this checkout against another one, in turn (docs/benchmarks.md)',
      ).conflicts(['only', 'plots', 'tune']),
    )
    .addHelpText('after', `\nSuites:\n${table}`);
  return command.parse(argv, { from: 'user' }).opts<BenchOptions>();
}
