import { Command, InvalidArgumentError } from 'commander';
import { type FaultKind, faultKinds } from '../simulator/virtual/faults.ts';
import type { SimulatedLimit } from '../simulator/virtual/queue/limiter.ts';
import type { Violation } from '../simulator/virtual/journal.ts';
import type { SimulationReport } from '../simulator/virtual/simulation.ts';
import { jsonOrUndefined, oneOf, readInput, wholeNumber } from './arguments.ts';
import { checkKatOptions } from './demo/command.ts';
import { tableOf } from './table.ts';
import { line, write, writeJson } from './terminal.ts';

interface SimulateOptions {
  readonly days: number;
  readonly organisations: number;
  readonly objects: number;
  readonly boefjes?: number;
  readonly seed: number;
  readonly seeds: number;
  readonly faults: readonly FaultKind[];
  readonly policy: 'fair-share' | 'created-at';
  readonly limits?: string;
  readonly json?: boolean;
}

/** `rota simulate`: days of a KAT in virtual time, the same each time; docs/simulation.md explains what it finds. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('run days of a KAT in virtual time, and check what Rota promises at each decision')
    .option('--days <n>', 'of virtual time', wholeNumber(1, 366), 7)
    .option('--organisations <n>', 'organisations', wholeNumber(1), 20)
    .option('--objects <n>', 'objects of each', wholeNumber(1), 100)
    .option('--boefjes <n>', 'boefjes enabled in each; all that ship where absent', wholeNumber(1))
    .option('--seed <n>', 'the same seed makes the same decisions', wholeNumber(0, 0xffff_ffff), 1)
    .option('--seeds <n>', 'so many seeds, from that one on', wholeNumber(1), 1)
    .option('--faults <kinds>', `all, none, or some of ${faultKinds.join(', ')}`, faultsIn, [])
    .option('--policy <ranker>', 'fair-share or created-at', oneOf(['fair-share', 'created-at']), 'fair-share')
    .option('--limits <file>', 'limits and windows as JSON, or the word typical: docs/simulation.md')
    .option('--json', 'end with one line of JSON on stdout; everything else goes to stderr')
    .addHelpText('after', '\nExample:\n  rota simulate --days 2 --organisations 5 --objects 40 --seeds 20 --faults all')
    .action(async ({ seeds, json = false, limits: file, ...options }: SimulateOptions) => {
      checkKatOptions(options);
      const limits = await limitsIn(file);
      // Its modules would cost every other command a second.
      const { simulateSeeds } = await import('../simulator/virtual/seeds.ts');
      const report = await simulateSeeds({ ...options, limits }, seeds, (seed, done) => {
        const found = done.violations.length === 0 ? 'nothing broken' : 'BROKEN';
        if (seeds > 1 || !json)
          write(
            line`Seed ${seed}: ${found}, ${done.decisions} decisions in ${done.seconds} s, digest ${done.digest}\n`,
            'err',
          );
        for (const violation of done.violations) write(shown(violation), 'err');
      });
      if (json) writeJson(report);
      else write(`${summaryOf(report)}\n`);
      process.exitCode = report.violations.length === 0 ? 0 : 1;
    });
}

/** Its module is loaded where it is asked for, as the simulation is. */
async function limitsIn(file: string | undefined): Promise<readonly SimulatedLimit[]> {
  if (file === undefined) return [];
  const { limitsOf, typicalLimits } = await import('../simulator/virtual/limits-file.ts');
  return file === 'typical' ? typicalLimits : limitsOf(jsonOrUndefined(await readInput(file)));
}

function faultsIn(text: string): readonly FaultKind[] {
  if (text === 'all') return faultKinds;
  if (text === 'none') return [];
  const kinds = text.split(',') as FaultKind[];
  const unknown = kinds.find((kind) => !faultKinds.includes(kind));
  if (unknown !== undefined) throw new InvalidArgumentError(`expected all, none, or some of ${faultKinds.join(', ')}.`);
  return kinds;
}

function shown({ invariant, message, seed, at, last }: Violation): string {
  const lines = last.map((decision) => line`  ${decision}\n`).join('');
  return `${line`${invariant}, seed ${seed}, ${at}: ${message}`}\nThe last decisions:\n${lines}`;
}

function summaryOf({ tasks, waits }: SimulationReport): string {
  const rows = Object.entries(tasks).map(([scheduler, counts]) => {
    const of = (what: string) => counts[what] ?? 0;
    const seconds = (waited: number | undefined) => (waited === undefined ? null : `${Math.round(waited)} s`);
    const { p50, p99 } = waits[scheduler] ?? {};
    return [scheduler, of('queued'), of('completed'), of('failed'), of('cancelled'), seconds(p50), seconds(p99)];
  });
  return tableOf(['SCHEDULER', 'QUEUED', 'COMPLETED', 'FAILED', 'CANCELLED', 'MEDIAN WAIT', 'P99'], rows);
}
