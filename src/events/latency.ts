import type { EventStream } from '../protocol/scheduler.ts';
import type { RotaEvent } from '../telemetry/events.ts';

/** How long events took from delivery to commit: told in sets, since one message each would crowd the actor's port. */
export interface Latencies {
  add(ms: number): void;
  flush(): void;
}

/** A second of delay is nothing to a histogram, and bounds the traffic to one set a second. */
const everyMs = 1_000;

export function createLatencies(stream: EventStream, tell: (event: RotaEvent) => void): Latencies {
  let seconds: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (seconds.length === 0) return;
    tell({ name: 'events.committed', stream, seconds });
    seconds = [];
  };
  return {
    add(ms) {
      seconds.push(ms / 1_000);
      timer ??= setTimeout(flush, everyMs).unref();
    },
    flush,
  };
}
