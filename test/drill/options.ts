import { Command, InvalidArgumentError, Option } from 'commander';
import type { Fault } from './fault.ts';

interface DrillOptions {
  /** All where absent. */
  readonly only?: readonly string[];
  readonly json: boolean;
  readonly list: boolean;
  /** Scenes that run side by side. */
  readonly lanes: number;
  /** Markdown page whose table is replaced. */
  readonly page?: string;
}

export function readOptions(argv: readonly string[], faults: readonly Fault[]): DrillOptions {
  const names = (text: string): string[] => {
    const wanted = text.split(',').map((name) => name.trim());
    const unknown = wanted.find((name) => !faults.some((fault) => fault.name === name));
    if (unknown === undefined) return wanted;
    throw new InvalidArgumentError(`no fault ${unknown}; \`make drill ARGS=--list\` names them`);
  };
  const lanes = (text: string): number => {
    if (/^[1-9]$/.test(text)) return Number(text);
    throw new InvalidArgumentError('expected 1 to 9');
  };
  return new Command('drill')
    .description(
      'Breaks everything around two supervisors under load, and says which guarantee broke: docs/guarantees.md.',
    )
    .option('--only <faults>', 'these faults, comma-separated', names)
    .option('--json', 'end with one line of JSON', false)
    .option('--list', 'name the faults', false)
    .option('--lanes <number>', 'scenes side by side', lanes, 2)
    .addOption(new Option('--page <file>', 'put the table of all faults into this page').conflicts('only'))
    .parse(argv, { from: 'user' })
    .opts<DrillOptions>();
}
