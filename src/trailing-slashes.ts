/** A loop: `/\/+$/` looks at each run of slashes from each of its slashes, and 16 000 of them took 0.4 s. */
export function withoutTrailingSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}
