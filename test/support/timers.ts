import type { Timers } from '../../src/supervisor/supervised-actor.ts';

/** Timers that fire when the test says so, whatever time it is. */
export function manualTimers(): Timers & {
  /** Resolves when something is due. */
  next(): Promise<void>;
  /** Moves the time to what is due first, and runs it. */
  fire(): void;
  pending(): number;
} {
  let now = 0;
  let due: { readonly at: number; readonly run: () => void }[] = [];
  const wake: (() => void)[] = [];
  return {
    now: () => now,
    after: (ms, run) => {
      const timer = { at: now + ms, run };
      due.push(timer);
      for (const resolve of wake.splice(0)) resolve();
      return () => {
        due = due.filter((other) => other !== timer);
      };
    },
    next: () => (due.length > 0 ? Promise.resolve() : new Promise((resolve) => wake.push(resolve))),
    fire: () => {
      const [first] = due.toSorted((a, b) => a.at - b.at);
      if (first === undefined) throw new Error('no timer is pending');
      due = due.filter((other) => other !== first);
      now = first.at;
      first.run();
    },
    pending: () => due.length,
  };
}
