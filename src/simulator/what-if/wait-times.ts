/** Each a fiftieth wider than the one before: a quantile is off by a hundredth at most. */
const growth = Math.log(1.02);

/** Seconds that tasks waited, in buckets: of a million tasks it keeps some hundred numbers, and none of a bucket without a task. */
export class WaitTimes {
  readonly #counts = new Map<number, number>();
  #total = 0;

  /** Numbers that are kept. */
  get size(): number {
    return this.#counts.size;
  }

  add(seconds: number): this {
    const bucket = Math.floor(Math.log1p(Math.max(0, seconds)) / growth);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#total += 1;
    return this;
  }

  /**
   * The wait that a share of the tasks do not exceed. Of those that still wait it is known how long they have waited until now: where
   * that leaves the answer open, it is the least that it can be. Null where there is no task.
   */
  quantile(share: number, waiting: WaitTimes): { readonly seconds: number; readonly isLeast: boolean } | null {
    const total = this.#total + waiting.#total;
    if (total === 0) return null;
    const rank = Math.max(1, Math.ceil(total * share));
    const least = this.#bucketOf(rank, waiting)!;
    // As if all that still wait did so for ever.
    const most = this.#bucketOf(rank, null);
    const seconds = secondsOf(least);
    return { seconds, isLeast: most === null || secondsOf(most) > 1.1 * seconds + 1 };
  }

  /** In which bucket so many are reached; null where there are fewer. */
  #bucketOf(rank: number, waiting: WaitTimes | null): number | null {
    const others = waiting === null ? new Map<number, number>() : waiting.#counts;
    let count = 0;
    const buckets = new Set([...this.#counts.keys(), ...others.keys()]);
    for (const bucket of [...buckets].toSorted((a, b) => a - b)) {
      count += (this.#counts.get(bucket) ?? 0) + (others.get(bucket) ?? 0);
      if (count >= rank) return bucket;
    }
    return null;
  }
}

/** The middle of a bucket. */
function secondsOf(bucket: number): number {
  return bucket === 0 ? 0 : Math.expm1((bucket + 0.5) * growth);
}
