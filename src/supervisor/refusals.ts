import type { Log } from '../protocol/scheduler.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import { emit } from '../telemetry/events.ts';
import { time, type Timer } from '../time-and-chance.ts';

/**
 * Counts declined tasks by reason and reports the counts once a second: a burst of mutations declines tens of thousands,
 * and one message each would crowd the port. Each one is logged at debug.
 */
export class Refusals {
  readonly #scheduler: string;
  readonly #log: Log;
  readonly #counts = new Map<RefusalReason, number>();
  #timer: Timer | undefined;

  constructor(scheduler: string, log: Log) {
    this.#scheduler = scheduler;
    this.#log = log;
  }

  refuse(reason: RefusalReason, about: Readonly<Record<string, string | null>>): void {
    this.#log.debug({ reason, ...about }, 'task declined');
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    this.#timer ??= time.setTimeout(() => this.flush(), 1_000);
  }

  flush(): void {
    time.clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [reason, count] of this.#counts)
      emit({ name: 'tasks.refused', scheduler: this.#scheduler, reason, count });
    this.#counts.clear();
  }
}
