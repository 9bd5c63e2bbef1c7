import type { Caller, RunCommand } from '../control/operator-command.ts';
import type { OperatorClient } from '../control/overview.ts';
import { age } from '../control/wording.ts';
import { within } from '../deadline.ts';
import { codeOf, RotaError } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { RotaClient } from './client.ts';

/** A search takes a second; supervisors come and go seldom. */
const searchEveryMs = 10_000;
/** Where NATS is out, the first caller waits no longer for it. */
const searchWithinMs = 1_500;
/** Its figures of the database take 2 s at most: one that is later hangs, and must not hold up what the others say. */
const statusWithinMs = 3_000;
/** A search may miss one that is busy. One that was missed for so long is not waited for until a search hears it again. */
const missedMs = 20_000;
/** So long a supervisor that ended without a word is missed. */
const rememberedMs = 3_600_000;
const mostRemembered = 100;

/** Supervisors that were heard, until they say that they leave. Times are of performance.now(). */
export class HeardSupervisors {
  readonly #heardAt = new Map<string, number>();
  readonly #leftAt = new Map<string, number>();
  /** When the last search that came to an end began. */
  #searchedAt = Number.NEGATIVE_INFINITY;

  found(instances: readonly string[], searchedAt: number): void {
    this.#searchedAt = searchedAt;
    for (const instance of instances) this.hear(instance, searchedAt);
    for (const [instance, at] of this.#heardAt) if (searchedAt - at > rememberedMs) this.#heardAt.delete(instance);
  }

  hear(instance: string, at: number): void {
    // Its answer may be on the way while it leaves.
    if ((this.#leftAt.get(instance) ?? Number.NEGATIVE_INFINITY) >= at) return;
    keep(this.#heardAt, instance, at);
  }

  leave(instance: string, at: number): void {
    this.#heardAt.delete(instance);
    keep(this.#leftAt, instance, at);
  }

  /** When it was last heard; null of one that never was. */
  heardAt(instance: string): number | null {
    return this.#heardAt.get(instance) ?? null;
  }

  /** Whether searches have missed it for long. */
  isMissed(instance: string): boolean {
    return this.#searchedAt - (this.heardAt(instance) ?? this.#searchedAt) > missedMs;
  }

  instances(): readonly string[] {
    return [...this.#heardAt.keys()].toSorted();
  }
}

/** The oldest go first. */
function keep(times: Map<string, number>, instance: string, at: number): void {
  times.delete(instance);
  times.set(instance, at);
  if (times.size > mostRemembered) times.delete(times.keys().next().value!);
}

/**
 * The operators' commands of all supervisors, for callers with names and access of their own. A supervisor asks itself directly (`own`),
 * so that it answers when NATS is out. Who was heard is asked, and missed, until it says that it leaves, or for an hour.
 */
export function operatorsFor(
  client: RotaClient,
  own: { readonly instance: string; readonly run: RunCommand } | null,
): (caller: Caller) => OperatorClient {
  const supervisors = new HeardSupervisors();
  client.onLeft((instance) => supervisors.leave(instance, performance.now()));
  let first: Promise<void> | null = null;
  let searchedAt = Number.NEGATIVE_INFINITY;
  const search = (): Promise<void> => {
    const from = performance.now();
    searchedAt = from;
    return client.instances().then(
      (found) => supervisors.found(found, from),
      // Where NATS is out, those that were heard stay: that they do not answer is what an operator should see.
      () => {},
    );
  };
  const searchSometimes = async () => {
    if (performance.now() - searchedAt >= searchEveryMs) {
      const found = search();
      first ??= within(found, searchWithinMs).catch(() => {});
    }
    // The first callers wait: without the others they would tell of one supervisor as if it were all.
    await first;
  };
  const missing = (instance: string, code: ConstructorParameters<typeof RotaError>[0], why: string | null) => {
    const at = supervisors.heardAt(instance);
    const heard = at === null ? null : `last answered ${age((performance.now() - at) / 1_000)} ago`;
    return new RotaError(code, [why, heard].filter(Boolean).join('; '));
  };
  return (caller) => ({
    ask: async (command, body, instance = own?.instance) => {
      if (own !== null && instance === own.instance) return (await own.run(command, body, caller)) as never;
      if (instance !== undefined && supervisors.isMissed(instance))
        throw missing(instance, 'SERVICE_UNAVAILABLE', null);
      const answer = client.ctl(command, body, {
        ...(instance === undefined ? {} : { instance }),
        ...(caller.by === null ? {} : { by: caller.by }),
        ...(command === 'status' ? { timeoutMs: statusWithinMs } : {}),
        ...(caller.access === 'read' ? { access: 'read' as const } : {}),
      });
      if (instance === undefined) return answer as never;
      const from = performance.now();
      try {
        const told = await answer;
        supervisors.hear(instance, from);
        return told as never;
      } catch (error) {
        const code = codeOf(error);
        if (code !== 'SERVICE_UNAVAILABLE' && code !== 'ASK_TIMEOUT') throw error;
        throw missing(instance, code, failureOf(error).message);
      }
    },
    instances: async () => {
      await searchSometimes();
      const heard = supervisors.instances();
      return own === null || heard.includes(own.instance) ? heard : [own.instance, ...heard];
    },
  });
}
