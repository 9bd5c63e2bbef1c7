import { CommanderError } from 'commander';
import { codeOf, errorCodes } from '../errors.ts';

/** Says what went wrong in one sentence on stderr, and exits with the code that src/errors.ts gives it. */
export function endWith(error: unknown): never {
  // Commander has already printed its own complaint or help.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : errorCodes.INVALID_REQUEST.exit);
  const code = codeOf(error);
  const message = (error as { message?: unknown } | null)?.message ?? String(error);
  process.stderr.write(`rota: ${String(message)}\n`);
  if (code === 'BROKEN' && (error as Error).stack !== undefined) process.stderr.write(`${(error as Error).stack}\n`);
  process.exit(errorCodes[code].exit);
}
