import { Command } from 'commander';
import { readConfig } from '../config/config.ts';
import { RotaError } from '../errors.ts';
import { migrate, type MigrationPlan, planMigration } from '../queue/schema/migrations.ts';
import { giveBackToMula } from '../queue/schema/adoption.ts';
import { print } from './remote.ts';
import { write } from './terminal.ts';

interface MigrateCommandOptions {
  readonly dryRun?: boolean;
  readonly backToMula?: boolean;
  readonly json?: boolean;
}

/** `rota migrate`: exits 0; `--dry-run` exits 1 if there is something to do. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database of SCHEDULER_DB_URI to this version; adopts a mula database in place')
    .option('--dry-run', 'say what would be done and change nothing; exit 1 where that is something')
    .option('--back-to-mula', 'the other way: make it ready for mula, while Rota is stopped')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  SCHEDULER_DB_URI=postgres://… rota migrate --dry-run')
    .action(async (options: MigrateCommandOptions) => {
      const config = readConfig(process.env);
      const url = config.SCHEDULER_DB_URI;
      if (url === undefined) throw new RotaError('BAD_CONFIG', 'SCHEDULER_DB_URI is not set');
      if (options.dryRun === true && options.backToMula === true)
        throw new RotaError('INVALID_REQUEST', '--dry-run goes with a migration, not with --back-to-mula');
      if (options.dryRun === true) {
        const plan = await planMigration(url);
        print(options, plan, render);
        if (plan.pending.length + plan.steps.length > 0) process.exitCode = 1;
        return;
      }
      const steps: string[] = [];
      const report = (step: string) => {
        steps.push(step);
        // Printed as it happens: on a large database a step takes minutes.
        if (options.json !== true) write(`${step}\n`);
      };
      if (options.backToMula === true) {
        await giveBackToMula(url);
        report('mula can be started on the database; the next start of Rota takes over what it does');
      } else {
        await migrate(url, { gracePeriodSeconds: config.SCHEDULER_PQ_GRACE_PERIOD, report });
        report('the database is up to date');
      }
      if (options.json === true) print(options, { steps }, () => '');
    });
}

const whose = { empty: 'an empty database', mula: 'a database of mula', rota: 'a database of Rota' } as const;

function render({ database, pending, steps }: MigrationPlan): string {
  const lines = [...pending.map((name) => `${name} would be applied`), ...steps];
  if (lines.length === 0) return `${whose[database]}: it is up to date`;
  return [`${whose[database]}; nothing has been changed`, ...lines].join('\n');
}
