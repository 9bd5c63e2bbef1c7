#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { demoCommand } from './cli/demo.ts';
import { devCommand } from './cli/dev.ts';
import { endWith } from './cli/exit.ts';
import { migrateCommand } from './cli/migrate.ts';
import { startCommand } from './cli/start.ts';
import { statusCommand } from './cli/status.ts';
import { createJetstreamPublisher } from './events/publish.ts';
import { startRota } from './main.ts';
import { connectRota } from './nats/client.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('rota')
  .description('The task scheduler of OpenKAT')
  .version(version)
  .showHelpAfterError()
  .exitOverride();

program.addCommand(startCommand(startRota));
program.addCommand(devCommand(startRota));
program.addCommand(demoCommand({ connectRota, createJetstreamPublisher }));
program.addCommand(migrateCommand());
program.addCommand(statusCommand());

await program.parseAsync(process.argv).catch(endWith);
