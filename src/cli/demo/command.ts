import { Command, InvalidArgumentError } from 'commander';
import { RotaError } from '../../errors.ts';
import { createProgress, write, writeJson } from '../terminal.ts';
import { faultsOf, reportOf, tablesOf } from './report.ts';
import { type KatOptions, runDemo, type RunOptions } from './run.ts';
import type { DemoParts } from './installation.ts';

/** `rota demo`: the real supervisor on a simulated KAT of any size; docs/demo.md explains its output. */
export function demoCommand(parts: DemoParts): Command {
  const command = new Command('demo').description(
    'run the real supervisor on a simulated KAT, and check that nothing is lost',
  );
  return addKatOptions(command, whole(3), 8)
    .option('--kill-workers <share>', 'share of units whose worker dies over them', share, 0)
    .option('--kill-actors <n>', 'how often an actor is killed', whole(0), 0)
    .option(
      '--limit <n>',
      'tasks of one boefje that run at once, at most; as many as there are workers where absent',
      whole(1),
    )
    .option('--restart-supervisor', 'kill the supervisor in the middle and start it again')
    .option('--json', 'end with one line of JSON on stdout; everything else goes to stderr')
    .addHelpText(
      'after',
      '\nExample:\n  rota demo --organisations 20 --kill-workers 0.1 --kill-actors 3 --restart-supervisor',
    )
    .action(async (options: DemoOptions) => {
      checkKatOptions(options);
      const progress = createProgress(options.json === true ? 'err' : 'out');
      const interrupted = new AbortController();
      const stop = () => interrupted.abort();
      // A second signal changes nothing: exiting at once would leave child processes behind.
      process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
      try {
        const { findings, drained, log } = await runDemo(options, parts, progress, interrupted.signal);
        const report = reportOf(findings);
        if (options.json === true) writeJson(report);
        else write(tablesOf(report));
        const faults = faultsOf(findings, drained);
        for (const fault of faults) write(`${fault}\n`, 'err');
        if (faults.length > 0) write(`The supervisor's last lines:\n${log}\n`, 'err');
        process.exitCode = faults.length === 0 ? 0 : 1;
      } catch (error) {
        if (!interrupted.signal.aborted) throw error;
        write('Interrupted: everything that was started is stopped.\n', 'err');
        process.exitCode = 130;
      } finally {
        progress.end();
        process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', stop);
      }
    });
}

interface DemoOptions extends RunOptions {
  readonly json?: boolean;
}

/** The options of `rota demo` and of `rota dev --kat`. */
export function addKatOptions(command: Command, workers: (text: string) => number, usually: number): Command {
  return command
    .option('--organisations <n>', 'organisations', whole(1), 5)
    .option('--objects <n>', 'objects of each', whole(1), 40)
    .option('--boefjes <n>', 'boefjes enabled in each', whole(1), 6)
    .option('--workers <n>', 'workers in all', workers, usually)
    .option('--seconds <n>', 'over which the events of the beginning are published', whole(1), 20)
    .option('--seed <n>', 'the same seed makes the same world', whole(0), 1)
    .option('--fail <share>', 'share of tasks that fail', share, 0.05);
}

export function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`expected a whole number, ${least} or more`);
  };
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('expected a share between 0 and 1');
}

/** @throws RotaError INVALID_REQUEST for a world with too many addresses. */
export function checkKatOptions(options: Pick<KatOptions, 'organisations' | 'objects'>): void {
  if (options.organisations * options.objects * 2 < 2 ** 24) return;
  const message = `--organisations × --objects: expected at most ${2 ** 23}, as their addresses lie in 10.0.0.0/8`;
  throw new RotaError('INVALID_REQUEST', message);
}
