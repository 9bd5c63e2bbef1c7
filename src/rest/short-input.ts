import { excerpt } from '../printable.ts';

/**
 * Foreign values in an error answer: whole while they are short, else their first 200 characters, so that no answer is more than
 * a few times its request. The longest that mula's recorded answers echo has 271.
 */

const wholeUpTo = 300;
/** And the ellipsis. */
const shortened = 201;

/** The value as it came, or the beginning of its JSON as a string. Looks at no more of it than it tells. */
export function shortInput(value: unknown): unknown {
  const text = new Beginning(wholeUpTo);
  text.value(value);
  if (!text.full) return value;
  return excerpt(typeof value === 'string' ? value : text.written, shortened);
}

/** A step of a `loc`: a key may be as long as the body. */
export function shortStep(step: string | number): string | number {
  return typeof step === 'string' ? excerpt(step, shortened) : step;
}

/** JSON, as far as there is room for it. */
class Beginning {
  written = '';
  readonly #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  get full(): boolean {
    return this.written.length > this.#room;
  }

  value(value: unknown): void {
    if (this.full) return;
    if (typeof value !== 'object' || value === null) this.#scalar(value);
    else if (Array.isArray(value)) this.#list(value);
    else this.#object(value as Record<string, unknown>);
  }

  #scalar(value: unknown): void {
    this.written +=
      (typeof value === 'string' ? JSON.stringify(value.slice(0, this.#room + 1)) : JSON.stringify(value)) ?? 'null';
  }

  #list(values: readonly unknown[]): void {
    this.written += '[';
    for (const [index, value] of values.entries()) {
      if (this.full) return;
      if (index > 0) this.written += ',';
      this.value(value);
    }
    this.written += ']';
  }

  #object(values: Readonly<Record<string, unknown>>): void {
    this.written += '{';
    let first = true;
    for (const key in values) {
      if (this.full) return;
      if (!first) this.written += ',';
      first = false;
      this.#scalar(key);
      this.written += ':';
      this.value(values[key]);
    }
    this.written += '}';
  }
}
