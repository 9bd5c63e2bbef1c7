/** What waits of one organisation, and its share beside the others. */
export interface Waiting {
  readonly name: string;
  readonly waiting: number;
  readonly weight: number;
}

/**
 * When all that waits now of each is handed out, in seconds from now: workers go on at one rate and are never idle while anything waits, so
 * that each that still waits gets a share of the rate by its weight, and what one leaves the others get. What comes meanwhile, and which
 * worker takes which image, is left out: an estimate.
 *
 * @param perSecond tasks handed out, of all together
 * @returns in the order in which they are done; empty where nothing is handed out: then none is ever done
 */
export function forecast(parts: readonly Waiting[], perSecond: number): ReadonlyMap<string, number> {
  const done = new Map<string, number>();
  if (!(perSecond > 0)) return done;
  const left = parts
    .filter(({ waiting, weight }) => waiting > 0 && weight > 0)
    // Of two with the same weight the one with less is done first; a double weight stands for half as much.
    .toSorted((a, b) => a.waiting / a.weight - b.waiting / b.weight);
  let weights = left.reduce((sum, { weight }) => sum + weight, 0);
  let [seconds, served] = [0, 0];
  for (const { name, waiting, weight } of left) {
    // So much of each unit of weight is handed out until this one is done, at `perSecond` over all weights that are left.
    const until = waiting / weight;
    seconds += ((until - served) * weights) / perSecond;
    served = until;
    weights -= weight;
    done.set(name, seconds);
  }
  return done;
}

/** Where organisations do not take turns, the oldest goes first, whosever it is: each has the share that it has of the queue. */
export function inOrderOfAge(parts: readonly Waiting[]): readonly Waiting[] {
  return parts.map((part) => ({ ...part, weight: part.waiting }));
}
