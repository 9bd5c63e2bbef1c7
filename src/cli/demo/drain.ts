import { setTimeout as delay } from 'node:timers/promises';

/**
 * Longer than anything that may still come by itself: an event that a killed actor had in hand is handed out again after
 * 30 s, its third attempt is made a minute later, and due schedules are looked at once a minute.
 */
const stillMs = 120_000;
const lookEveryMs = 250;

/**
 * Waits until every task that was asked for exists and all are finished.
 *
 * @returns false where nothing has moved for two minutes.
 */
export async function untilDrained(run: {
  show(): Promise<{ queued: number; leased: number; finished: number }>;
  missing(): Promise<readonly unknown[]>;
  idle(): boolean;
  signal: AbortSignal;
}): Promise<boolean> {
  let moved = performance.now();
  let last = '';
  for (;;) {
    const { queued, leased, finished } = await run.show();
    if (queued === 0 && leased === 0 && run.idle() && (await run.missing()).length === 0) {
      // Between the two looks a raw file may have become a task.
      const again = await run.show();
      if (again.queued === 0 && again.leased === 0 && again.finished === finished) return true;
    }
    const now = `${queued} ${leased} ${finished}`;
    if (now !== last) [moved, last] = [performance.now(), now];
    if (performance.now() - moved > stillMs) return false;
    await delay(lookEveryMs, undefined, { signal: run.signal });
  }
}
