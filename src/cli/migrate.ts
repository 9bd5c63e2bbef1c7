import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { RotaError } from '../errors.ts';
import { migrate } from '../queue/migrations.ts';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database of SCHEDULER_DB_URI to this version; adopts a mula database in place')
    .addHelpText('after', '\nExample:\n  SCHEDULER_DB_URI=postgres://… rota migrate')
    .action(async () => {
      const config = readConfig(process.env);
      if (config.SCHEDULER_DB_URI === undefined) throw new RotaError('BAD_CONFIG', 'SCHEDULER_DB_URI is not set');
      await migrate(config.SCHEDULER_DB_URI, {
        gracePeriodSeconds: config.SCHEDULER_PQ_GRACE_PERIOD,
        report: (step) => process.stdout.write(`${step}\n`),
      });
      process.stdout.write('the database is up to date\n');
    });
}
