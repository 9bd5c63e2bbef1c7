/** The supervisor's clock: tests bring their own and let a minute pass at once. */
export interface Timers {
  /** Epoch milliseconds. */
  now(): number;
  /** @returns what cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
