import { Command, CommanderError } from 'commander';
import { codeOf, errorCodes } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import { type JetstreamOf, natsPermissionsCommand, tokenCommand } from './access.ts';
import { completionCommand } from './completion.ts';
import { deadCommand } from './dead.ts';
import { demoCommand } from './demo/command.ts';
import type { DemoParts } from './demo/installation.ts';
import { configCommand, doctorCommand } from './doctor.ts';
import { auditCommand, eventsCommand, incidentsCommand } from './events.ts';
import { explainCommand } from './explain.ts';
import { limitsCommand, windowsCommand } from './limits.ts';
import { migrateCommand } from './migrate.ts';
import { namesCommand } from './names.ts';
import { pageCommand, type StartPage } from './page.ts';
import { popCommand, pushCommand } from './push-pop.ts';
import {
  pauseCommand,
  pausesCommand,
  purgeCommand,
  queueCommand,
  rerankCommand,
  resumeCommand,
  weightsCommand,
} from './queues.ts';
import { schedulesCommand } from './schedules.ts';
import { devCommand, startCommand, type StartRota } from './start.ts';
import { simulateCommand } from './simulate.ts';
import { statusCommand } from './overview.ts';
import { actorsCommand, drainCommand } from './supervisors.ts';
import { tasksCommand } from './tasks.ts';
import { topCommand } from './top/command.ts';
import { write } from './terminal.ts';
import { workersCommand } from './workers.ts';

/** What commands need of the edges and of main.ts; src/cli.ts passes it in. */
interface ProgramParts extends DemoParts {
  readonly version: string;
  readonly startRota: StartRota;
  readonly startPage: StartPage;
  readonly jetstreamPermissions: JetstreamOf;
}

/** The command line: one line per command. */
export function createProgram(parts: ProgramParts): Command {
  const program = new Command('rota')
    .description('The task scheduler of OpenKAT')
    .version(parts.version)
    .configureOutput({ writeOut: (text) => write(text), writeErr: (text) => write(text, 'err') })
    .exitOverride();

  const commands = [
    startCommand(parts.startRota),
    devCommand(parts.startRota, parts),
    demoCommand(parts),
    simulateCommand(),
    migrateCommand(),
    statusCommand(),
    topCommand(),
    pageCommand(parts.startPage),
    explainCommand(),
    actorsCommand(),
    workersCommand(),
    tasksCommand(),
    schedulesCommand(),
    deadCommand(),
    eventsCommand(),
    pauseCommand(),
    resumeCommand(),
    pausesCommand(),
    queueCommand(),
    purgeCommand(),
    rerankCommand(),
    weightsCommand(),
    limitsCommand(),
    windowsCommand(),
    auditCommand(),
    incidentsCommand(),
    drainCommand(),
    configCommand(),
    doctorCommand(),
    natsPermissionsCommand(parts.jetstreamPermissions),
    tokenCommand(),
    completionCommand(),
    namesCommand(),
    pushCommand(),
    popCommand(),
  ];
  for (const command of commands) program.addCommand(inheriting(program, command));
  return program;
}

/** addCommand does not copy exitOverride: without it a wrong option would exit 1, not 64. */
function inheriting(parent: Command, command: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inheriting(command, child);
  return command;
}

/** Prints the error in one sentence on stderr, last, for that is what a terminal shows, and exits with its code (src/errors.ts). */
export function endWith(error: unknown): never {
  // Commander has already printed its error or the help.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : errorCodes.INVALID_REQUEST.exit);
  const code = codeOf(error);
  if (code === 'BROKEN' && error instanceof Error) write(`${error.stack}\n`, 'err');
  write(`rota: ${failureOf(error).message}\n`, 'err');
  process.exit(errorCodes[code].exit);
}
