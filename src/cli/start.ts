import { Command } from 'commander';
import { readConfig } from '../config/config.ts';
import { runUntilSignal, type StartRota } from './run.ts';

export function startCommand(start: StartRota): Command {
  return new Command('start')
    .description('run the supervisor, its actors, the NATS service and the REST API; configured by the environment')
    .addHelpText('after', '\nExample:\n  SCHEDULER_DB_URI=postgres://… NATS_URL=nats://… rota start')
    .action(async () => {
      await runUntilSignal(start, readConfig(process.env), {});
    });
}
