import { InvalidArgumentError } from 'commander';
import { RotaError } from '../../errors.ts';

export interface DemoOptions {
  readonly organisations: number;
  /** Per organisation. */
  readonly objects: number;
  /** Enabled per organisation. */
  readonly boefjes: number;
  readonly workers: number;
  /** Over which the events are spread. */
  readonly seconds: number;
  readonly seed: number;
  /** Share of tasks whose worker reports a failure. */
  readonly fail: number;
  /** Share of units whose worker dies over them. */
  readonly killWorkers: number;
  /** How often an actor's thread is ended. */
  readonly killActors: number;
  readonly restartSupervisor?: boolean;
  readonly json?: boolean;
}

/** @throws what commander prints beside the option's name. */
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

/** @throws RotaError INVALID_REQUEST for what no world can be made of. */
export function checkOptions(options: DemoOptions): void {
  const addresses = options.organisations * options.objects * 2;
  if (addresses >= 2 ** 24) {
    const message = `--organisations × --objects: expected at most ${2 ** 23}, as their addresses lie in 10.0.0.0/8`;
    throw new RotaError('INVALID_REQUEST', message);
  }
}
