import { createHash } from 'node:crypto';

/** A promise of Rota that does not hold at a moment of a simulation, with what led to it. */
export interface Violation {
  readonly invariant: string;
  readonly message: string;
  readonly seed: number;
  /** ISO. */
  readonly at: string;
  /** The last decisions before it, oldest first. */
  readonly last: readonly string[];
}

/** Ends what was being decided; a simulation ends by the violation itself, since an actor survives errors. */
class ViolationError extends Error {
  override readonly name = 'ViolationError';
}

const lastShown = 40;
/** Characters that are hashed at once. */
const chunk = 65_536;

/** Every decision of a run in its order: the digest of all of them, and the last ones in words. */
export class Journal {
  readonly #seed: number;
  readonly #now: () => number;
  readonly #hash = createHash('sha256');
  readonly #last: string[] = Array.from({ length: lastShown }, () => '');
  readonly #listener: ((line: string) => void) | null;
  #pending = '';
  #violation: Violation | null = null;
  #decisions = 0;

  constructor(seed: number, now: () => number, listener: ((line: string) => void) | null = null) {
    this.#seed = seed;
    this.#now = now;
    this.#listener = listener;
  }

  get decisions(): number {
    return this.#decisions;
  }

  /** The first one. */
  get violation(): Violation | null {
    return this.#violation;
  }

  note(decision: string): void {
    const line = `${this.#now()} ${decision}`;
    this.#listener?.(line);
    this.#last[this.#decisions % lastShown] = line;
    this.#decisions += 1;
    this.#pending += `${line}\n`;
    if (this.#pending.length < chunk) return;
    this.#hash.update(this.#pending);
    this.#pending = '';
  }

  /** Of all decisions so far, as hexadecimal digits. Nothing is noted afterwards. */
  digest(): string {
    return this.#hash.update(this.#pending).digest('hex');
  }

  violate(invariant: string, message: string): never {
    const from = this.#decisions % lastShown;
    const last = [...this.#last.slice(from), ...this.#last.slice(0, from)].filter((line) => line !== '');
    const at = new Date(this.#now()).toISOString();
    this.#violation ??= { invariant, message, seed: this.#seed, at, last: last.map(readable) };
    throw new ViolationError(`${this.#violation.invariant}: ${this.#violation.message}`);
  }
}

function readable(line: string): string {
  const space = line.indexOf(' ');
  return `${new Date(Number(line.slice(0, space))).toISOString()} ${line.slice(space + 1)}`;
}
