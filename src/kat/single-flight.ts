/** Answers by key: one request in flight per key, kept for a short while. Failures are never kept. */
export interface SingleFlight<T> {
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
    const now = options.now();
    for (const [other, entry] of kept) if (entry.until <= now) kept.delete(other);
    if (options.ttlMs > 0) kept.set(key, { value, until: now + options.ttlMs });
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
