import { RotaError } from '../errors.ts';
import { currentTrace } from '../mailbox/trace.ts';
import type { ItemResult, RotaClient, StatusPatch } from './client.ts';

/** What a worker reports of its tasks: patches, gathered into sets. */

/** A patch to send, and the callers that wait for its result. */
export interface PatchReport {
  readonly patch: StatusPatch;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Settles in sets: what becomes ready in one turn of the event loop goes in one request, or in one for each trace of the tasks.
 * Always as a set, whose answer has no tasks: Postgres would read them for nothing.
 */
export function createReporter(client: Pick<RotaClient, 'patch'>): (patch: StatusPatch) => Promise<void> {
  const ready = new Map<string, PatchReport[]>();
  return (patch) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const trace = currentTrace();
    const set = ready.get(trace);
    if (set !== undefined) set.push({ patch, resolve, reject });
    else {
      const begun = [{ patch, resolve, reject }];
      ready.set(trace, begun);
      // Runs in the trace of the set, since a patch of that trace schedules it.
      setImmediate(() => {
        ready.delete(trace);
        void send(begun);
      });
    }
    return promise;
  };

  async function send(set: readonly PatchReport[]): Promise<void> {
    try {
      tell(set, await client.patch(set.map(({ patch }) => patch)));
    } catch (error) {
      for (const { reject } of set) reject(error);
    }
  }
}

/** Each caller what became of its patch. */
export function tell(set: readonly PatchReport[], results: readonly ItemResult[]): void {
  for (const [at, { resolve, reject }] of set.entries()) {
    const result = results[at]!;
    if ('error' in result) reject(new RotaError(result.error.code, result.error.detail));
    else resolve();
  }
}
