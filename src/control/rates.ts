import { on } from '../telemetry/events.ts';

export interface Rate {
  readonly inPerSecond: number;
  readonly outPerSecond: number;
}

const windowSeconds = 10;

/** How many tasks each scheduler queued and handed out through this supervisor: per second, over the last ten. */
export class Rates {
  readonly #seconds = new Map<string, Second[]>();
  readonly #ends: readonly (() => void)[];

  constructor() {
    this.#ends = [
      on('tasks.queued', ({ scheduler, tasks }) => this.#add(scheduler, 'queued', tasks.length)),
      on('tasks.dispatched', ({ scheduler, tasks }) => this.#add(scheduler, 'dispatched', tasks.length)),
    ];
  }

  of(scheduler: string): Rate {
    const from = now() - windowSeconds;
    const seconds = (this.#seconds.get(scheduler) ?? []).filter(({ at }) => at > from);
    const sum = (key: 'queued' | 'dispatched') => seconds.reduce((total, second) => total + second[key], 0);
    return { inPerSecond: sum('queued') / windowSeconds, outPerSecond: sum('dispatched') / windowSeconds };
  }

  stop(): void {
    for (const end of this.#ends) end();
  }

  #add(scheduler: string, key: 'queued' | 'dispatched', count: number): void {
    const seconds = this.#seconds.get(scheduler) ?? [];
    this.#seconds.set(scheduler, seconds);
    const at = now();
    if (seconds.at(-1)?.at !== at) seconds.push({ at, queued: 0, dispatched: 0 });
    seconds.at(-1)![key] += count;
    while (seconds.length > windowSeconds + 1) seconds.shift();
  }
}

interface Second {
  readonly at: number;
  queued: number;
  dispatched: number;
}

/** Whole seconds of a clock that nobody sets. */
function now(): number {
  return Math.floor(performance.now() / 1_000);
}
