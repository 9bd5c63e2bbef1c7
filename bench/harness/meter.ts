export interface MeterOptions {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Ends the measurement early. */
  readonly most: number;
}

/** The rate of something that runs by itself and tells of each thing done. */
export class Meter {
  /** Per second, once it has been measured; 0 where nothing was done. */
  readonly rate: Promise<number>;
  readonly #options: MeterOptions;
  readonly #started = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #resolve: (rate: number) => void;
  #began: number | null = null;
  #count = 0;

  constructor(options: MeterOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.rate = promise;
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.#end(performance.now()), options.warmUpMs + options.measureMs);
  }

  count(): void {
    const { warmUpMs, measureMs, most } = this.#options;
    const now = performance.now();
    this.#count += 1;
    if (this.#began === null) {
      if (now - this.#started < warmUpMs && this.#count < most / 5) return;
      this.#began = now;
      this.#count = 0;
    } else if (this.#count >= most || now - this.#began >= measureMs) {
      this.#end(now);
    }
  }

  #end(now: number): void {
    clearTimeout(this.#timer);
    this.#resolve(this.#began === null ? 0 : (this.#count / (now - this.#began)) * 1_000);
  }
}
