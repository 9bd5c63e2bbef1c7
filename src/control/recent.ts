/** Keys that are remembered at once: each is on somebody's screen. */
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
}
