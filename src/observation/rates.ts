import { on } from '../telemetry/events.ts';

const windowSeconds = 10;

/** Tasks that each scheduler queued and handed out through this supervisor: per second, over the last ten. */
export class Rates {
  readonly #seconds = new Map<string, { readonly at: number; queued: number; dispatched: number }[]>();
  readonly #ends: readonly (() => void)[] = [
    on('tasks.queued', ({ scheduler, tasks }) => this.#add(scheduler, 'queued', tasks.length)),
    on('tasks.dispatched', ({ scheduler, tasks }) => this.#add(scheduler, 'dispatched', tasks.length)),
  ];

  of(scheduler: string): { readonly in_per_second: number; readonly out_per_second: number } {
    const from = wholeSeconds() - windowSeconds;
    const seconds = (this.#seconds.get(scheduler) ?? []).filter(({ at }) => at > from);
    const sum = (key: 'queued' | 'dispatched') => seconds.reduce((total, second) => total + second[key], 0);
    return { in_per_second: sum('queued') / windowSeconds, out_per_second: sum('dispatched') / windowSeconds };
  }

  stop(): void {
    for (const end of this.#ends) end();
  }

  #add(scheduler: string, key: 'queued' | 'dispatched', count: number): void {
    const seconds = this.#seconds.get(scheduler) ?? [];
    this.#seconds.set(scheduler, seconds);
    const at = wholeSeconds();
    if (seconds.at(-1)?.at !== at) seconds.push({ at, queued: 0, dispatched: 0 });
    seconds.at(-1)![key] += count;
    while (seconds.length > windowSeconds + 1) seconds.shift();
  }
}

/** By a monotonic clock. */
function wholeSeconds(): number {
  return Math.floor(performance.now() / 1_000);
}
