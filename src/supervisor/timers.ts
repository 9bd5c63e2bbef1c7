/** The supervisor's clock: tests bring their own and let a minute pass at once. */
export interface Timers {
  /** Epoch milliseconds, of a clock that nobody sets: a step would lose restarts, or count them twice. */
  now(): number;
  /** @returns what cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  now: () => performance.timeOrigin + performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
