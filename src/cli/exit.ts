import { CommanderError } from 'commander';
import { failureOf } from '../mailbox/failure.ts';
import { codeOf, errorCodes } from '../errors.ts';
import { write } from './terminal.ts';

/** Says what went wrong in one sentence on stderr, and exits with the code that src/errors.ts gives it. */
export function endWith(error: unknown): never {
  // Commander has already printed its own complaint or help.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : errorCodes.INVALID_REQUEST.exit);
  const code = codeOf(error);
  write(`rota: ${failureOf(error).message}\n`, 'err');
  if (code === 'BROKEN' && error instanceof Error) write(`${error.stack}\n`, 'err');
  process.exit(errorCodes[code].exit);
}
