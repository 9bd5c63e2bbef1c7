import { within } from './deadline.ts';

/** All steps together, with a second at least for each. An embedded server that does not end is killed after 10 s. */
const unwindWithinMs = 18_000;
const leastStepMs = 1_000;

/** What must be undone at the end, or when the start fails: in the reverse order of its making. */
export class Unwinding {
  readonly #steps: (() => unknown)[] = [];

  push(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Never rejects: one that fails, or waits for a database that is gone, must not leave the rest running. */
  async run(failed: (error: unknown) => void): Promise<void> {
    const deadline = performance.now() + unwindWithinMs;
    for (const step of this.#steps.splice(0).reverse()) {
      const withinMs = Math.max(deadline - performance.now(), leastStepMs);
      await within(Promise.try(step), withinMs).catch(failed);
    }
  }
}
