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
