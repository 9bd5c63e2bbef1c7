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
  /** Those that were an outage's: they make the back-off longer, and nothing else. */
  readonly outages: readonly number[];
  readonly down: boolean;
}

export const noFailures: RestartHistory = { failures: [], outages: [], down: false };

/**
 * What follows a failure at `now` of an actor that lived for `livedMs`. One that is down stays so until a try has lived
 * for `withinMs`. One that ended for an outage did nothing wrong: it is never down for it. `random` is in [0, 1): the delay
 * is between half of its bound and all of it, so that actors which failed together do not come back together.
 */
export function afterFailure(
  history: RestartHistory,
  failure: { readonly now: number; readonly livedMs: number; readonly outage?: boolean },
  random: number,
  policy: RestartPolicy,
): { readonly history: RestartHistory; readonly delayMs: number } {
  const { now, livedMs, outage = false } = failure;
  const recent = (times: readonly number[]) => times.filter((at) => at > now - policy.withinMs);
  const failures = [...recent(history.failures), ...(outage ? [] : [now])];
  const outages = [...recent(history.outages), ...(outage ? [now] : [])];
  const stillDown = history.down && livedMs < policy.withinMs;
  if (stillDown || failures.length > policy.intensity)
    return { history: { failures, outages, down: true }, delayMs: policy.downRetryMs };
  const bound = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (failures.length + outages.length - 1));
  return { history: { failures, outages, down: false }, delayMs: Math.round(bound * (0.5 + random / 2)) };
}
