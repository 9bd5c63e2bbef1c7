/** When a failed actor is started again: exponential back-off with jitter, within an intensity; then a try a minute. */
export interface RestartPolicy {
  /** Restarts within `withinMs`; one more failure takes the actor down. */
  readonly intensity: number;
  readonly withinMs: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Between the tries of an actor that is down. */
  readonly downRetryMs: number;
}

export const defaultRestartPolicy: RestartPolicy = {
  intensity: 5,
  withinMs: 60_000,
  firstDelayMs: 200,
  maxDelayMs: 10_000,
  downRetryMs: 60_000,
};

export interface RestartHistory {
  /** When it failed within the last `withinMs`, oldest first; epoch milliseconds. */
  readonly failures: readonly number[];
  readonly down: boolean;
}

export const noFailures: RestartHistory = { failures: [], down: false };

/**
 * What follows a failure at `now` of an actor that lived for `livedMs`. One that is down stays so until a try has lived
 * for `withinMs`. `random` is in [0, 1): the delay is between half of its bound and all of it, so that actors which
 * failed together do not come back together.
 */
export function afterFailure(
  history: RestartHistory,
  failure: { readonly now: number; readonly livedMs: number },
  random: number,
  policy: RestartPolicy,
): { readonly history: RestartHistory; readonly delayMs: number } {
  const recent = history.failures.filter((at) => at > failure.now - policy.withinMs);
  const failures = [...recent, failure.now];
  const stillDown = history.down && failure.livedMs < policy.withinMs;
  if (stillDown || failures.length > policy.intensity)
    return { history: { failures, down: true }, delayMs: policy.downRetryMs };
  const bound = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (failures.length - 1));
  return { history: { failures, down: false }, delayMs: Math.round(bound * (0.5 + random / 2)) };
}
