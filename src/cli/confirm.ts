import { createInterface } from 'node:readline/promises';
import { RotaError } from '../errors.ts';

/** Asks before something in bulk. @throws RotaError INVALID_REQUEST where the answer is no, or nobody is there to give one. */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new RotaError('INVALID_REQUEST', `${question} Say --yes, since nobody can be asked`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new RotaError('INVALID_REQUEST', 'nothing was changed');
}
