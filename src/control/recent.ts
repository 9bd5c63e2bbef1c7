/** Keys that are remembered at once: each is on a screen. */
const mostKept = 200;

/**
 * Answers that may be some seconds old, by key: asks again where what was found before is older than the caller takes, so that pages
 * that many look at cost as much as one. What fails is not kept.
 */
export class Recent<T> {
  readonly #found = new Map<string, { readonly at: number; readonly value: Promise<T> }>();

  of(key: string, maxAgeMs: number, ask: () => Promise<T>): Promise<T> {
    const known = this.#found.get(key);
    if (known !== undefined && performance.now() - known.at < maxAgeMs) return known.value;
    const found = { at: performance.now(), value: ask() };
    this.#found.delete(key);
    this.#found.set(key, found);
    found.value.catch(() => {
      if (this.#found.get(key) === found) this.#found.delete(key);
    });
    if (this.#found.size > mostKept) this.#found.delete(this.#found.keys().next().value!);
    return found.value;
  }

  /** What was found is no longer so. */
  forget(key: string): void {
    this.#found.delete(key);
  }
}

/** The same for one question. */
export function recent<T>(ask: () => Promise<T>): ((maxAgeMs: number) => Promise<T>) & { forget(): void } {
  const kept = new Recent<T>();
  return Object.assign((maxAgeMs: number) => kept.of('', maxAgeMs, ask), { forget: () => kept.forget('') });
}
