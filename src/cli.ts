#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { actorsCommand } from './cli/actors.ts';
import { completionCommand } from './cli/completion.ts';
import { configCommand } from './cli/config.ts';
import { deadCommand } from './cli/dead.ts';
import { demoCommand } from './cli/demo.ts';
import { devCommand } from './cli/dev.ts';
import { doctorCommand } from './cli/doctor.ts';
import { drainCommand } from './cli/drain.ts';
import { eventsCommand } from './cli/events.ts';
import { endWith } from './cli/exit.ts';
import { explainCommand } from './cli/explain.ts';
import { migrateCommand } from './cli/migrate.ts';
import type { StartRota } from './cli/run.ts';
import { startCommand } from './cli/start.ts';
import { statusCommand } from './cli/status.ts';
import { pauseCommand, pausesCommand, purgeCommand, resumeCommand } from './cli/pauses.ts';
import { popCommand } from './cli/pop.ts';
import { pushCommand } from './cli/push.ts';
import { rerankCommand } from './cli/rerank.ts';
import { schedulesCommand } from './cli/schedules.ts';
import { tasksCommand } from './cli/tasks.ts';
import { topCommand } from './cli/top.ts';
import { createJetstreamPublisher } from './events/publish.ts';
import { connectRota } from './nats/client.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Loaded by those who start it: its modules cost every other command half a second. */
const startRota: StartRota = async (config, options) => (await import('./main.ts')).startRota(config, options);

const program = new Command('rota')
  .description('The task scheduler of OpenKAT')
  .version(version)
  .showHelpAfterError()
  .exitOverride();

const commands = [
  startCommand(startRota),
  devCommand(startRota),
  demoCommand({ connectRota, createJetstreamPublisher }),
  migrateCommand(),
  statusCommand(),
  topCommand(),
  explainCommand(),
  actorsCommand(),
  tasksCommand(),
  schedulesCommand(),
  deadCommand(),
  eventsCommand(),
  pauseCommand(),
  resumeCommand(),
  pausesCommand(),
  purgeCommand(),
  rerankCommand(),
  drainCommand(),
  configCommand(),
  doctorCommand(),
  completionCommand(),
  pushCommand(),
  popCommand(),
];
for (const command of commands) program.addCommand(inheriting(program, command));

/** Commands that are added do not inherit exitOverride by themselves: without it a wrong option would exit 1, not 64. */
function inheriting(parent: Command, command: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inheriting(command, child);
  return command;
}

await program.parseAsync(process.argv).catch(endWith);
