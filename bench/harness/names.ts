/** A depth in the name of a case: `10k`, `1m`. */
export function nameOf(depth: number): string {
  return depth >= 1_000_000 ? `${depth / 1_000_000}m` : `${depth / 1_000}k`;
}
