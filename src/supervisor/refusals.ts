import type { Log } from '../protocol/scheduler.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import { emit } from '../telemetry/events.ts';

/**
 * Counts declined tasks by reason and tells of them in sets: a burst of mutations declines tens of thousands, and one
 * message each would crowd the port. Each is logged at debug, where someone looks for one.
 */
export class Refusals {
  readonly #scheduler: string;
  readonly #log: Log;
  readonly #counts = new Map<RefusalReason, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(scheduler: string, log: Log) {
    this.#scheduler = scheduler;
    this.#log = log;
  }

  refuse(reason: RefusalReason, about: Readonly<Record<string, string | null>>): void {
    this.#log.debug({ reason, ...about }, 'task declined');
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    // A second of delay is nothing to a counter, and bounds the traffic to one set a second.
    this.#timer ??= setTimeout(() => this.flush(), 1_000);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [reason, count] of this.#counts)
      emit({ name: 'tasks.refused', scheduler: this.#scheduler, reason, count });
    this.#counts.clear();
  }
}
