import type { Message } from './delivery.ts';
import type { Mailbox } from './mailbox.ts';

/**
 * Posts `message` now, and again `everyMs` after the last one was settled: ticks never pile up behind a slow handler.
 *
 * @returns what stops it.
 */
export function startClock<M extends Message>(mailbox: Mailbox<M>, message: M, everyMs: number): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const tick = async () => {
    await mailbox.ask(message);
    if (!stopped) timer = setTimeout(() => void tick(), everyMs);
  };
  void tick();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
