/** Milliseconds; null where nothing was measured. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p99: number | null;
}

/** Nearest rank: every figure is one that was measured. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) => {
    const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
    return value === undefined ? null : Math.round(value * 100) / 100;
  };
  return { p50: rank(0.5), p99: rank(0.99) };
}

/**
 * Times events from their publication to the start of the first handler they cause. Only those that were published while
 * a worker waited: the others tell how much work there was, not how quick the way is.
 */
export class EventTimes {
  readonly #published = new Map<string, number>();
  readonly #ms: number[] = [];

  /** `key` names the event in the task that it leads to. */
  published(key: string, workerWaits: boolean, at = performance.now()): void {
    if (workerWaits) this.#published.set(key, at);
  }

  handlerStarted(key: string, at = performance.now()): void {
    const published = this.#published.get(key);
    if (published === undefined) return;
    this.#published.delete(key);
    this.#ms.push(at - published);
  }

  milliseconds(): readonly number[] {
    return this.#ms;
  }
}
