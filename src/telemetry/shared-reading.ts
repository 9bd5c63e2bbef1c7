/**
 * Those who ask while an answer is under way share it. A scrape reads all its metrics at once, and two scrapes may come
 * together: what they show parts of is asked for once.
 */
export function shared<T>(ask: () => T | PromiseLike<T>): () => Promise<T> {
  let underWay: Promise<T> | null = null;
  return () => {
    underWay ??= Promise.resolve()
      .then(ask)
      .finally(() => (underWay = null));
    return underWay;
  };
}
