import { RotaError } from '../errors.ts';
import { ask } from './terminal.ts';

/** Asks before something in bulk. @throws RotaError INVALID_REQUEST where the answer is no, or nobody is there to give one. */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  const answer = await ask(`${question} [y/N] `);
  if (answer === null) throw new RotaError('INVALID_REQUEST', `${question} Say --yes, since nobody can be asked`);
  if (!/^y(es)?$/i.test(answer.trim())) throw new RotaError('INVALID_REQUEST', 'nothing was changed');
}
