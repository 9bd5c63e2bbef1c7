import { Command } from 'commander';
import { createProgress, write, writeJson } from '../terminal.ts';
import { faultsOf, reportOf, tablesOf } from './report.ts';
import { runDemo, type RunOptions } from './run.ts';
import type { DemoParts } from './installation.ts';
import { addKatOptions, checkKatOptions, share, whole } from './kat-options.ts';

/** `rota demo`: the real supervisor on a simulated KAT of any size; docs/demo.md explains its output. */
export function demoCommand(parts: DemoParts): Command {
  const command = new Command('demo').description(
    'run the real supervisor on a simulated KAT, and check that nothing is lost',
  );
  return addKatOptions(command, whole(3), 8)
    .option('--kill-workers <share>', 'share of units whose worker dies over them', share, 0)
    .option('--kill-actors <n>', 'how often an actor is killed', whole(0), 0)
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
