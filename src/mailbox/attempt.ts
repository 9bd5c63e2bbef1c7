import { failureOf, type Result } from './failure.ts';

/**
 * Waits for work that may fail for now: a retryable failure comes back as data, so that what depends on it can wait
 * while the rest of a batch goes on. Any other error is a bug and stays thrown.
 */
export async function attempt<T>(work: Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    const failure = failureOf(error);
    if (!failure.retryable) throw error;
    return { ok: false, failure };
  }
}
