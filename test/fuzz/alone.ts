/** Many at once, or one alone: an input that failed among others is tried again by itself. */
export class Alone {
  #running = 0;
  #alone: Promise<void> = Promise.resolve();
  #quiet: (() => void) | null = null;

  async among<T>(work: () => Promise<T>): Promise<T> {
    for (let gate = null as Promise<void> | null; gate !== this.#alone;) {
      gate = this.#alone;
      await gate;
    }
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#quiet?.();
    }
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#alone;
    const done = Promise.withResolvers<void>();
    this.#alone = before.then(() => done.promise);
    try {
      await before;
      if (this.#running > 0) await new Promise<void>((resolve) => (this.#quiet = resolve));
      this.#quiet = null;
      return await work();
    } finally {
      done.resolve();
    }
  }
}
