/**
 * What keeps the trouble of one service from its callers: no request to a service that is down (circuit breaker), at most so
 * many in flight (bulkhead), and one for all callers that ask the same (single flight).
 *
 * Our own, and not cockatiel's breaker and bulkhead: cockatiel 4 measures the pause by the wall clock, so that one that is set
 * back an hour keeps a circuit open for an hour, and lets callers wait for the probe where ours fail at once.
 */

/** closed: calls pass; open: calls fail at once; half-open: one probe is under way, the rest fail at once. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** Leave to call once. Report how it went exactly once; reports of calls from before the circuit opened change nothing. */
interface Permit {
  succeeded(): void;
  failed(): void;
}

export interface Circuit {
  /** Null while the circuit is open. */
  admit(): Permit | null;
  state(): CircuitState;
}

interface CircuitOptions {
  /** Consecutive failures that open it. */
  readonly failures: number;
  /** First pause before a probe; each failed probe doubles it up to `maxPauseMs`. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  /** Milliseconds of any steadily growing clock. */
  readonly now: () => number;
  readonly onChange?: (state: CircuitState) => void;
}

/** A circuit breaker without timers: it looks at the clock only when a call asks for admission. */
export function createCircuit(options: CircuitOptions): Circuit {
  let state: CircuitState = 'closed';
  let failures = 0;
  let pauseMs = options.pauseMs;
  let probeAt = 0;
  // Every change of state starts a new era: permits of an older one no longer speak for the service as it is now.
  let era = 0;

  const become = (next: CircuitState) => {
    state = next;
    era += 1;
    options.onChange?.(next);
  };
  const open = () => {
    probeAt = options.now() + pauseMs;
    become('open');
  };

  const permit = (): Permit => {
    const issued = era;
    return {
      succeeded: () => {
        if (issued !== era) return;
        failures = 0;
        if (state === 'closed') return;
        pauseMs = options.pauseMs;
        become('closed');
      },
      failed: () => {
        if (issued !== era) return;
        failures += 1;
        if (state === 'half-open') {
          pauseMs = Math.min(pauseMs * 2, options.maxPauseMs);
          open();
        } else if (failures >= options.failures) {
          open();
        }
      },
    };
  };

  return {
    admit: () => {
      if (state === 'closed') return permit();
      if (state === 'half-open' || options.now() < probeAt) return null;
      become('half-open');
      return permit();
    },
    state: () => state,
  };
}

/** A bulkhead: at most `count` holders at once; others wait in order of arrival. */
interface Slots {
  run<T>(work: () => Promise<T>): Promise<T>;
  inUse(): number;
}

export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let inUse = 0;

  const take = async (): Promise<void> => {
    if (inUse < count) {
      inUse += 1;
      return;
    }
    // A slot that is given back goes straight to the first in line, so that no newcomer can take it.
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const giveBack = () => {
    const next = waiting.shift();
    if (next === undefined) inUse -= 1;
    else next();
  };

  return {
    run: async (work) => {
      await take();
      try {
        return await work();
      } finally {
        giveBack();
      }
    },
    inUse: () => inUse,
  };
}

/** Answers by key: one request in flight per key, kept for a short while. Failures are never kept. */
interface SingleFlight<T> {
  /**
   * `fresh` answers with a request that began after this call: it may have to wait for the one in flight, and callers
   * that come meanwhile share it.
   */
  get(key: string, load: () => Promise<T>, options?: { fresh?: boolean }): Promise<T>;
}

export function createSingleFlight<T>(options: {
  readonly ttlMs: number;
  readonly now: () => number;
}): SingleFlight<T> {
  const kept = new Map<string, { readonly value: T; readonly until: number }>();
  const inFlight = new Map<string, Promise<T>>();
  const following = new Map<string, Promise<T>>();

  const start = (key: string, load: () => Promise<T>): Promise<T> => {
    const request = load()
      .then((value) => {
        keep(key, value);
        return value;
      })
      .finally(() => inFlight.delete(key));
    inFlight.set(key, request);
    return request;
  };

  const keep = (key: string, value: T) => {
    if (options.ttlMs === 0) return;
    const now = options.now();
    // All are kept equally long, so the map is in the order in which they expire: only what is dropped is looked at, and one
    // more. A key that is set again would keep its old place, so it is deleted first.
    kept.delete(key);
    for (const [other, entry] of kept) {
      if (entry.until > now) break;
      kept.delete(other);
    }
    kept.set(key, { value, until: now + options.ttlMs });
  };

  const follow = (key: string, load: () => Promise<T>, running: Promise<T>): Promise<T> => {
    const waiting = following.get(key);
    if (waiting !== undefined) return waiting;
    const request = (async () => {
      await running.catch(() => {});
      following.delete(key);
      return start(key, load);
    })();
    following.set(key, request);
    return request;
  };

  return {
    get: async (key, load, { fresh = false } = {}) => {
      const running = inFlight.get(key);
      if (fresh) return running === undefined ? start(key, load) : follow(key, load, running);
      const entry = kept.get(key);
      if (entry !== undefined && entry.until > options.now()) return entry.value;
      return running ?? start(key, load);
    },
  };
}
