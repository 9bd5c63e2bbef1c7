import { within } from './deadline.ts';

/** All steps together: an orchestrator kills after 30 s, an operator's patience ends before. */
const unwindWithinMs = 9_000;
/** Kept for each step that is still to come, so that one which hangs leaves the others their turn. */
const leastStepMs = 250;

/** What did not end in its time, or failed, and why. */
export interface Left {
  readonly step: string;
  readonly why: string;
}

/** What must be undone at the end, or when the start fails: in the reverse order of its making. */
export class Unwinding {
  readonly #steps: { readonly name: string; readonly undo: (withinMs: number) => unknown }[] = [];

  /** @param undo ends within the milliseconds that it is told; what it still does after that ends with the process. */
  push(name: string, undo: (withinMs: number) => unknown): void {
    this.#steps.push({ name, undo });
  }

  /** Never rejects: one that fails, or waits for a database that is gone, must not leave the rest running. */
  async run(): Promise<readonly Left[]> {
    const deadline = performance.now() + unwindWithinMs;
    const left: Left[] = [];
    const steps = this.#steps.splice(0).reverse();
    for (const [at, { name, undo }] of steps.entries()) {
      const reserved = (steps.length - at - 1) * leastStepMs;
      const withinMs = Math.max(deadline - performance.now() - reserved, leastStepMs);
      await within(Promise.try(undo, withinMs), withinMs).catch((error: unknown) =>
        left.push({ step: name, why: error instanceof Error ? error.message : String(error) }),
      );
    }
    return left;
  }
}
