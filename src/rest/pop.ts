import type { FilterRequest } from '../queue/filter/filter.ts';
import type { PopRequest } from '../queue/queue.ts';
import type { SchedulerEntry } from './ports.ts';

export interface PopSettings {
  /** Unmodified runners know no leases: within so long they begin, and then have the grace period. */
  readonly leaseMs: number;
}

interface Asked {
  readonly limit: number | undefined;
  readonly wait: number | undefined;
  readonly filters: FilterRequest | null;
  readonly worker: string;
  readonly holder: string;
  readonly signal: AbortSignal;
}

/** mula hands out the whole queue without a limit; a thousand tasks are what one answer can hold. */
const defaultLimit = 1_000;
const mostUnits = 10_000;

/**
 * Runners treat the answer of a boefje pop as one piece of work: one unit, whatever the limit (lessons 0.5). Other
 * schedulers hand out up to `limit`; 0 and less is none.
 */
export function popRequest(scheduler: SchedulerEntry, asked: Asked, settings: PopSettings): PopRequest {
  const limit = Math.min(Math.max(asked.limit ?? defaultLimit, 0), mostUnits);
  return {
    limit: scheduler.type === 'boefje' ? 1 : limit,
    filters: asked.filters,
    waitMs: Math.round((asked.wait ?? 0) * 1_000),
    leaseMs: settings.leaseMs,
    via: 'rest',
    worker: asked.worker,
    holder: asked.holder,
    signal: asked.signal,
  };
}
