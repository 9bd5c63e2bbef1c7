import type { Caller, RunCommand } from '../control/operator-command.ts';
import type { OperatorClient } from '../control/overview.ts';
import type { RotaClient } from './client.ts';

/** A search takes a second; supervisors come and go seldom. */
const searchEveryMs = 10_000;
/** Its figures of the database take 2 s at most: one that is later hangs, and must not hold up what the others say. */
const statusWithinMs = 3_000;

/**
 * The operators' commands of all supervisors, for callers with names and access of their own. A supervisor asks itself directly (`own`),
 * so that it answers when NATS is out. Others are those that a search found a moment ago, which the first caller does not wait for.
 */
export function operatorsFor(
  client: RotaClient,
  own: { readonly instance: string; readonly run: RunCommand } | null,
): (caller: Caller) => OperatorClient {
  let found: readonly string[] = own === null ? [] : [own.instance];
  let searchedAt = Number.NEGATIVE_INFINITY;
  const search = () => {
    if (performance.now() - searchedAt < searchEveryMs) return;
    searchedAt = performance.now();
    client.instances().then(
      (instances) => (found = own === null ? instances : [...new Set([own.instance, ...instances])]),
      // Where NATS is out, those that were found stay: that they do not answer is what an operator should see.
      () => {},
    );
  };
  return (caller) => ({
    ask: async (command, body, instance = own?.instance) => {
      if (own !== null && instance === own.instance) return (await own.run(command, body, caller)) as never;
      return client.ctl(command, body, {
        ...(instance === undefined ? {} : { instance }),
        ...(caller.by === null ? {} : { by: caller.by }),
        ...(command === 'status' ? { timeoutMs: statusWithinMs } : {}),
        ...(caller.access === 'read' ? { access: 'read' as const } : {}),
      });
    },
    instances: async () => {
      search();
      return found;
    },
  });
}
