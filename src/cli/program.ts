import { Command } from 'commander';
import { actorsCommand } from './actors.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { deadCommand } from './dead.ts';
import { demoCommand } from './demo.ts';
import { devCommand } from './dev.ts';
import { doctorCommand } from './doctor.ts';
import { drainCommand } from './drain.ts';
import { eventsCommand } from './events.ts';
import { explainCommand } from './explain.ts';
import { migrateCommand } from './migrate.ts';
import { type JetstreamOf, natsPermissionsCommand } from './nats-permissions.ts';
import { pauseCommand, pausesCommand, purgeCommand, resumeCommand } from './pauses.ts';
import { popCommand } from './pop.ts';
import { pushCommand } from './push.ts';
import { rerankCommand } from './rerank.ts';
import { schedulesCommand } from './schedules.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { tasksCommand } from './tasks.ts';
import { tokenCommand } from './token.ts';
import { topCommand } from './top.ts';
import { write } from './terminal.ts';
import type { DemoParts } from './demo/stage.ts';
import type { StartRota } from './run.ts';

/** What commands need of the edges and of main.ts; src/cli.ts hands it in. */
export interface ProgramParts extends DemoParts {
  readonly version: string;
  readonly startRota: StartRota;
  readonly jetstreamPermissions: JetstreamOf;
}

/** Every command there is, one line each. */
export function createProgram(parts: ProgramParts): Command {
  const program = new Command('rota')
    .description('The task scheduler of OpenKAT')
    .version(parts.version)
    .configureOutput({ writeOut: (text) => write(text), writeErr: (text) => write(text, 'err') })
    .showHelpAfterError()
    .exitOverride();

  const commands = [
    startCommand(parts.startRota),
    devCommand(parts.startRota),
    demoCommand(parts),
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
    natsPermissionsCommand(parts.jetstreamPermissions),
    tokenCommand(),
    completionCommand(),
    pushCommand(),
    popCommand(),
  ];
  for (const command of commands) program.addCommand(inheriting(program, command));
  return program;
}

/** Commands that are added do not inherit exitOverride by themselves: without it a wrong option would exit 1, not 64. */
function inheriting(parent: Command, command: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inheriting(command, child);
  return command;
}
