import type { Random } from '../random.ts';
import type { Quantiles, SchedulerSnapshot, ServiceTimes } from './snapshot.ts';

/** Fewer ends of a plug-in say nothing: those of the scheduler stand in for it. */
const fewEnds = 5;
/** Where no task of a scheduler ended lately. */
export const assumedSeconds = 10;
const assumed: ServiceTimes = { ended: 1, completed: 1, quantiles: [assumedSeconds, assumedSeconds] };

/** How long tasks take, and whether they complete: drawn from what was measured. */
export class Service {
  readonly #times: Pick<SchedulerSnapshot, 'service' | 'serviceOfAll'>;
  readonly #random: Random;

  constructor(times: Pick<SchedulerSnapshot, 'service' | 'serviceOfAll'>, random: Random) {
    this.#times = times;
    this.#random = random;
  }

  /** Milliseconds from its beginning on, of one that has taken `elapsedMs` already: what is left. */
  draw(plugin: string | null, elapsedMs = 0): number {
    const { quantiles } = this.#of(plugin);
    const elapsed = elapsedMs / 1_000;
    const from = shareBelow(quantiles, elapsed);
    // It takes longer than any did: as long again as most take.
    if (from >= 1) return at(quantiles, 0.5) * 1_000;
    return Math.max(0, at(quantiles, from + (1 - from) * this.#random.next()) - elapsed) * 1_000;
  }

  completes(plugin: string | null): boolean {
    const { ended, completed } = this.#of(plugin);
    return this.#random.next() * ended < completed;
  }

  #of(plugin: string | null): ServiceTimes {
    const { service, serviceOfAll } = this.#times;
    const own = plugin === null ? undefined : service.get(plugin);
    return own !== undefined && own.ended >= fewEnds ? own : (serviceOfAll ?? own ?? assumed);
  }
}

/** Between two quantiles as many of each length. */
function at(quantiles: Quantiles, share: number): number {
  const place = share * (quantiles.length - 1);
  const below = Math.min(Math.floor(place), quantiles.length - 2);
  const [low, high] = [quantiles[below]!, quantiles[below + 1]!];
  return low + (high - low) * (place - below);
}

/** The share of tasks that take no longer. */
function shareBelow(quantiles: Quantiles, seconds: number): number {
  if (seconds <= 0) return 0;
  const above = quantiles.findIndex((quantile) => quantile > seconds);
  if (above < 0) return 1;
  if (above === 0) return 0;
  const [low, high] = [quantiles[above - 1]!, quantiles[above]!];
  return (above - 1 + (seconds - low) / (high - low)) / (quantiles.length - 1);
}
