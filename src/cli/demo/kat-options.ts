import { type Command, InvalidArgumentError } from 'commander';
import { RotaError } from '../../errors.ts';

/** The size of a simulated KAT, and its workers. */
export interface KatOptions {
  readonly organisations: number;
  /** Per organisation. */
  readonly objects: number;
  /** Enabled per organisation. */
  readonly boefjes: number;
  readonly workers: number;
  /** Over which the events of the beginning are spread. */
  readonly seconds: number;
  readonly seed: number;
  /** Share of tasks whose worker reports a failure. */
  readonly fail: number;
}

/** The options of `rota demo` and of `rota dev --kat`. */
export function addKatOptions(command: Command, workers: (text: string) => number, usually: number): Command {
  return command
    .option('--organisations <n>', 'organisations', whole(1), 5)
    .option('--objects <n>', 'objects of each', whole(1), 40)
    .option('--boefjes <n>', 'boefjes enabled in each', whole(1), 6)
    .option('--workers <n>', 'workers in all', workers, usually)
    .option('--seconds <n>', 'over which the events of the beginning are published', whole(1), 20)
    .option('--seed <n>', 'the same seed makes the same world', whole(0), 1)
    .option('--fail <share>', 'share of tasks that fail', share, 0.05);
}

export function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`expected a whole number, ${least} or more`);
  };
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('expected a share between 0 and 1');
}

/** @throws RotaError INVALID_REQUEST for a world with too many addresses. */
export function checkKatOptions(options: Pick<KatOptions, 'organisations' | 'objects'>): void {
  if (options.organisations * options.objects * 2 < 2 ** 24) return;
  const message = `--organisations × --objects: expected at most ${2 ** 23}, as their addresses lie in 10.0.0.0/8`;
  throw new RotaError('INVALID_REQUEST', message);
}
