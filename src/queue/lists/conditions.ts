/** The conditions of one statement that is put together at run time: every value becomes a parameter. */
export class Conditions {
  readonly values: unknown[] = [];
  readonly #texts: string[] = [];

  /** The placeholder of a value. */
  bind(value: unknown): string {
    return `$${this.values.push(value)}`;
  }

  add(text: string): void {
    this.#texts.push(text);
  }

  /** Adds `column = value`, unless the value is absent. */
  addEqual(column: string, value: string | boolean | undefined): void {
    if (value !== undefined) this.add(`${column} = ${this.bind(value)}`);
  }

  /** Takes on an expression whose first placeholder is number `nextParameter`. */
  append(expression: { readonly text: string; readonly values: readonly unknown[] }): void {
    this.#texts.push(expression.text);
    this.values.push(...expression.values);
  }

  get nextParameter(): number {
    return this.values.length + 1;
  }

  /** ` WHERE …`, or nothing. */
  where(): string {
    return this.#texts.length === 0 ? '' : ` WHERE ${this.#texts.join(' AND ')}`;
  }
}

/** Adds `column >= min` and `column <= max`, both inclusive as in mula. ISO timestamps. */
export function addRange(
  conditions: Conditions,
  column: string,
  min: string | undefined,
  max: string | undefined,
): void {
  if (min !== undefined) conditions.add(`${column} >= ${conditions.bind(min)}::text::timestamptz`);
  if (max !== undefined) conditions.add(`${column} <= ${conditions.bind(max)}::text::timestamptz`);
}
