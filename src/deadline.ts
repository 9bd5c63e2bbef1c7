import { type ErrorCode, RotaError } from './errors.ts';
import { time, type Timer } from './time-and-chance.ts';

/** Rejects where `work` takes longer; it is left to itself then. */
export async function within<T>(
  work: Promise<T>,
  ms: number,
  code: ErrorCode = 'DRAINING',
  says = `not done within ${Math.round(ms)} ms`,
): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = time.setTimeout(() => reject(new RotaError(code, says)), ms);
  });
  return Promise.race([work, late]).finally(() => time.clearTimeout(timer));
}

/** Rejects as soon as `signal` is aborted; the work is left to itself then. @throws RotaError DRAINING */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const giveUp = () => aborted.reject(new RotaError('DRAINING', 'asked to stop while starting'));
  if (signal?.aborted === true) giveUp();
  else signal?.addEventListener('abort', giveUp, { once: true });
  return Promise.race([work, aborted.promise]).finally(() => signal?.removeEventListener('abort', giveUp));
}

/**
 * Runs `work` now and then again `ms` after each end of it, until `signal` is aborted. A rejection goes to
 * `onError`, and the next run follows.
 */
export async function every(
  ms: number,
  signal: AbortSignal,
  work: () => Promise<unknown>,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await work().catch(onError);
    await time.sleep(ms, signal).catch(() => {});
  }
}

/** For all steps together: an orchestrator kills after 30 s, and operators wait less. */
const shutdownWithinMs = 9_000;
/** Reserved for each later step, so that a step that hangs does not take the time of the others. */
const leastStepMs = 250;

/** A step that failed or did not end in time, and why. */
interface UnfinishedStep {
  readonly step: string;
  readonly why: string;
}

/** The steps that end a process, or undo a start that failed: in the reverse order of the start. */
export class Shutdown {
  readonly #steps: { readonly name: string; readonly undo: (withinMs: number) => unknown }[] = [];

  /** @param undo should end within the milliseconds that it gets; the process does not wait for it any longer. */
  add(name: string, undo: (withinMs: number) => unknown): void {
    this.#steps.push({ name, undo });
  }

  /** Never rejects: a step that fails, or waits for a lost database, must not leave the rest running. */
  async run(): Promise<readonly UnfinishedStep[]> {
    const deadline = time.monotonicMs() + shutdownWithinMs;
    const left: UnfinishedStep[] = [];
    const steps = this.#steps.splice(0).reverse();
    for (const [at, { name, undo }] of steps.entries()) {
      const reserved = (steps.length - at - 1) * leastStepMs;
      const withinMs = Math.max(deadline - time.monotonicMs() - reserved, leastStepMs);
      await within(Promise.try(undo, withinMs), withinMs).catch((error: unknown) =>
        left.push({ step: name, why: error instanceof Error ? error.message : String(error) }),
      );
    }
    return left;
  }
}
