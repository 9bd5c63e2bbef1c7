import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, RotaError } from './errors.ts';

/** Rejects where `work` takes longer; it is left to itself then. */
export async function within<T>(work: Promise<T>, ms: number, code: ErrorCode = 'DRAINING'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new RotaError(code, `not done within ${Math.round(ms)} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
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
    await delay(ms, undefined, { signal }).catch(() => {});
  }
}
