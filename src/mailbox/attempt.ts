import { type Failure, failureOf, type Result } from './failure.ts';

/**
 * Waits for work that may fail for now: a retryable failure comes back as data, so that what depends on it can wait
 * while the rest of a batch goes on. Any other error is a bug and stays thrown.
 */
export async function attempt<T>(work: Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    return { ok: false, failure: retryableOf(error) };
  }
}

/** The same for a source of many: it ends with the failure. Errors of whoever consumes it are not its own. */
export async function* attemptEach<T>(source: AsyncIterable<T>): AsyncGenerator<Result<T>, void> {
  try {
    for await (const value of source) yield { ok: true, value };
  } catch (error) {
    yield { ok: false, failure: retryableOf(error) };
  }
}

function retryableOf(error: unknown): Failure {
  const failure = failureOf(error);
  if (!failure.retryable) throw error;
  return failure;
}
