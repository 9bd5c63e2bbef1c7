import { Command, InvalidArgumentError, Option } from 'commander';
import { type EdgeName, edgeNames } from './edge.ts';

export interface FuzzOptions {
  readonly requests: number;
  readonly seed: number;
  /** All where absent. */
  readonly only?: readonly EdgeName[];
  readonly json: boolean;
  /** Crafted rows in place of random inputs; `rowNames` chooses some of them. */
  readonly rows?: true | readonly string[];
  readonly list: boolean;
}

const whole = (most: number) => (text: string) => {
  if (/^\d{1,10}$/.test(text) && Number(text) <= most) return Number(text);
  throw new InvalidArgumentError(`expected a whole number of at most ${most}`);
};

function chosen<T extends string>(names: readonly T[]) {
  return (text: string): T[] =>
    text.split(',').map((name) => {
      const found = names.find((it) => it === name.trim());
      if (found === undefined) throw new InvalidArgumentError(`no ${name}; there are: ${names.join(', ')}`);
      return found;
    });
}

export function readOptions(argv: readonly string[], rowNames: readonly string[]): FuzzOptions {
  return new Command('fuzz')
    .description(
      'Sends hostile input to every edge of a real supervisor, and says what it did not withstand: docs/fuzzing.md.',
    )
    .option('--requests <number>', 'inputs over all edges', whole(100_000_000), 20_000)
    .option('--seed <number>', 'of the inputs', whole(2_147_483_647), Math.trunc(Math.random() * 1_000_000))
    .option('--only <edges>', `of ${edgeNames.join(', ')}; comma-separated`, chosen(edgeNames))
    .addOption(
      new Option('--rows [names]', 'crafted scenarios in place of random input, all or these').argParser(
        chosen(rowNames),
      ),
    )
    .option('--list', 'name the scenarios', false)
    .option('--json', 'end with one line of JSON', false)
    .parse(argv, { from: 'user' })
    .opts<FuzzOptions>();
}
