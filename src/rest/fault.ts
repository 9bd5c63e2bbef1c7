/**
 * One thing wrong with a request, in the words of pydantic and FastAPI: `type` and `loc` are what clients match on.
 * Readers turn an unknown value into what it means, or say what is wrong with it and where below it.
 */
export interface Fault {
  readonly type: string;
  readonly msg: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
  /** Below the value that was read; empty or absent for the value itself. */
  readonly path?: readonly (string | number)[];
  /** For a path that does not lead through the value itself (the arm of a union). */
  readonly input?: unknown;
}

/** Faults of one request that are told: whoever reads a list stops there, since 90 kB of faulty conditions told 9.8 MB. */
export const mostFaults = 20;

export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

export type Reader<T> = (value: unknown) => Reading<T>;

export function read<T>(value: T): Reading<T> {
  return { ok: true, value };
}

export function fault(type: string, msg: string, ctx?: Readonly<Record<string, unknown>>): Reading<never> {
  return { ok: false, faults: [ctx === undefined ? { type, msg } : { type, msg, ctx }] };
}

/** The same faults, seen from `step` levels up; each keeps the input that it is about. */
export function below(faults: readonly Fault[], step: readonly (string | number)[], input: unknown): Fault[] {
  return faults.map((entry) => ({
    ...entry,
    path: [...step, ...(entry.path ?? [])],
    input: 'input' in entry ? entry.input : input,
  }));
}
