/** How long an event, a revocation or a run may be late without a fault. */
export const latenessMs = 10 * 60_000;
/** From the end of a fault until what it held up is made up for. */
const recoveryMs = 15 * 60_000;

/** Times in which something was broken on purpose: what Rota promises within a time, it promises for the rest of it. */
export class FaultTimes {
  readonly #now: () => number;
  readonly #times: { readonly began: number; readonly ended: number; readonly isOutage: boolean }[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** It lasts so long from now on, and what it held up is made up for in a while. An outage: Rota cannot know, or not act. */
  lasts(ms: number, isOutage: boolean): void {
    const began = this.#now();
    this.#times.push({ began, ended: began + ms, isOutage });
  }

  /** How much longer something may take that began then, in milliseconds; by any fault, or by outages alone. */
  allowanceMs(then: number, by: 'any' | 'outages'): number {
    const now = this.#now();
    let ms = 0;
    for (let at = this.#times.length - 1; at >= 0; at -= 1) {
      const { began, ended, isOutage } = this.#times[at]!;
      // Two days ago none lasted until now.
      if (began < then - 2 * 86_400_000) break;
      if (ended + recoveryMs > then && (isOutage || by === 'any'))
        ms += Math.min(ended, now) - Math.max(began, then) + recoveryMs;
    }
    return Math.max(0, ms);
  }
}
