import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How late this thread's event loop was over the last 10 to 20 seconds. */
export interface LoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** 50 samples a second cost nothing measurable, and catch every stall that would delay a pop. */
const resolutionMs = 20;
const windowMs = 10_000;

/** Reads the native histogram in windows of 10 s: it never forgets by itself, and a stall must pass from view. */
export function watchLoopDelay(): { read(): LoopDelay; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  const measured = (): LoopDelay => ({
    p50Ms: lateness(histogram.count === 0 ? 0 : histogram.percentile(50)),
    p99Ms: lateness(histogram.count === 0 ? 0 : histogram.percentile(99)),
    maxMs: lateness(histogram.count === 0 ? 0 : histogram.max),
  });
  let last = measured();
  const timer = setInterval(() => {
    last = measured();
    histogram.reset();
  }, windowMs).unref();
  return {
    read() {
      const now = measured();
      return {
        p50Ms: Math.max(last.p50Ms, now.p50Ms),
        p99Ms: Math.max(last.p99Ms, now.p99Ms),
        maxMs: Math.max(last.maxMs, now.maxMs),
      };
    },
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}

/** The histogram records the time between two samples, not the delay. */
function lateness(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - resolutionMs);
}
