/** A depth in the name of a case: `10k`, `1m`. */
export function nameOf(depth: number): string {
  return depth >= 1_000_000 ? `${depth / 1_000_000}m` : `${depth / 1_000}k`;
}

/** How many tasks there are before a suite begins, and what the names of its cases end with. */
export interface Size {
  readonly tasks: number;
  readonly suffix: string;
}

/** Names without an ending stand for the full run's one size; `--quick` has two, and tells them apart. */
export function sizesOf(quick: boolean, full: number): readonly Size[] {
  if (!quick) return [{ tasks: full, suffix: '' }];
  return [10_000, 100_000].map((tasks) => ({ tasks, suffix: `-${nameOf(tasks)}` }));
}
