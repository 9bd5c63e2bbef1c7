/** The value below which the share `q` of `sorted` lies; null where there is nothing. */
export function quantile(sorted: ArrayLike<number>, q: number): number | null {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? sorted[0]!;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Times by performance.now(). */
export interface Interval {
  readonly began: number;
  readonly ended: number;
}

/** How much of `whole` lies within one of `parts`; where these overlap it counts once. */
export function covered(whole: Interval, parts: readonly Interval[]): number {
  let sum = 0;
  let reached = whole.began;
  for (const { began, ended } of parts.toSorted((a, b) => a.began - b.began)) {
    const from = Math.max(began, reached);
    const to = Math.min(ended, whole.ended);
    if (to > from) sum += to - from;
    reached = Math.max(reached, to);
  }
  return sum;
}
