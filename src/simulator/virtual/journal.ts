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
  readonly #write: ((lines: string) => void) | null;
  #pending = '';
  #violation: Violation | null = null;
  #decisions = 0;

  /** @param write what the digest is of, many lines at once */
  constructor(seed: number, now: () => number, write: ((lines: string) => void) | null = null) {
    this.#seed = seed;
    this.#now = now;
    this.#write = write;
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
    this.#last[this.#decisions % lastShown] = line;
    this.#decisions += 1;
    this.#pending += `${line}\n`;
    if (this.#pending.length >= chunk) this.#flush();
  }

  /** Of all decisions so far, as hexadecimal digits. Nothing is noted afterwards. */
  digest(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#pending);
    this.#write?.(this.#pending);
    this.#pending = '';
  }

  /** Ends what is being decided, and the simulation. */
  violate(invariant: string, message: string): never {
    this.breaks(invariant, message);
    throw new ViolationError(`${this.#violation!.invariant}: ${this.#violation!.message}`);
  }

  /** Ends the simulation. */
  breaks(invariant: string, message: string): void {
    const from = this.#decisions % lastShown;
    const last = [...this.#last.slice(from), ...this.#last.slice(0, from)].filter((line) => line !== '');
    const at = new Date(this.#now()).toISOString();
    this.#violation ??= { invariant, message, seed: this.#seed, at, last: last.map(readable) };
  }
}

function readable(line: string): string {
  const space = line.indexOf(' ');
  return `${new Date(Number(line.slice(0, space))).toISOString()} ${line.slice(space + 1)}`;
}
