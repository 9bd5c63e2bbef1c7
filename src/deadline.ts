import { type ErrorCode, RotaError } from './errors.ts';

/** Rejects where `work` takes longer; it is left to itself then. */
export async function within<T>(work: Promise<T>, ms: number, code: ErrorCode = 'DRAINING'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new RotaError(code, `not done within ${Math.round(ms)} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Waits for as long as it takes, unless `signal` is aborted, and says so every now and then. @throws RotaError DRAINING */
export async function waitFor<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  stillWaiting: () => void,
): Promise<T> {
  const reminder = setInterval(stillWaiting, 5_000);
  const aborted = new Promise<never>((_resolve, reject) => {
    const giveUp = () => reject(new RotaError('DRAINING', 'asked to stop while starting'));
    if (signal?.aborted) giveUp();
    else signal?.addEventListener('abort', giveUp, { once: true });
  });
  return Promise.race([work, aborted]).finally(() => clearInterval(reminder));
}
