import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { RotaError } from '../errors.ts';
import { migrate } from '../queue/migrations.ts';
import { giveBackToMula } from '../queue/way-back.ts';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database of SCHEDULER_DB_URI to this version; adopts a mula database in place')
    .option('--back-to-mula', 'the other way: make it ready for mula, while Rota is stopped')
    .addHelpText('after', '\nExample:\n  SCHEDULER_DB_URI=postgres://… rota migrate')
    .action(async (options: { backToMula?: boolean }) => {
      const config = readConfig(process.env);
      if (config.SCHEDULER_DB_URI === undefined) throw new RotaError('BAD_CONFIG', 'SCHEDULER_DB_URI is not set');
      if (options.backToMula === true) {
        await giveBackToMula(config.SCHEDULER_DB_URI);
        process.stdout.write('mula can be started on the database; the next start of Rota takes over what it does\n');
        return;
      }
      await migrate(config.SCHEDULER_DB_URI, {
        gracePeriodSeconds: config.SCHEDULER_PQ_GRACE_PERIOD,
        report: (step) => process.stdout.write(`${step}\n`),
      });
      process.stdout.write('the database is up to date\n');
    });
}
