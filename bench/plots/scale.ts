/** Where a value stands on an axis: 0 at its beginning, 1 at its end. */
export interface Scale {
  place(value: number): number;
  readonly ticks: readonly number[];
}

/** From zero to the first round number that no value exceeds, in four to six steps of 1, 2 or 5 times a power of ten. */
export function linearScale(values: readonly number[]): Scale {
  const highest = Math.max(...values);
  const step = roundStep(highest / 5);
  const count = Math.max(1, Math.ceil(highest / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)));
  return { place: (value) => value / ticks.at(-1)!, ticks };
}

/** Whole powers of ten around the values. */
export function decadeScale(values: readonly number[]): Scale {
  const first = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => Number(`1e${first + at}`));
  return { place: (value) => (Math.log10(value) - first) / (last - first), ticks };
}

/** The values themselves, as far apart as their logarithms are: depths, requests in flight. */
export function steppedScale(values: readonly number[]): Scale {
  const ticks = [...new Set(values)].sort((a, b) => a - b);
  const first = Math.log(ticks[0]!);
  const span = Math.log(ticks.at(-1)!) - first;
  return { place: (value) => (span === 0 ? 0.5 : (Math.log(value) - first) / span), ticks };
}

function roundStep(least: number): number {
  const decade = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * decade).find((step) => step >= least - 1e-9)!;
}

/** `10 k`, `1.5 M`: three digits at most, as many as a figure is good for. */
export function shortNumber(value: number): string {
  const digits = (number: number) => String(Number(number.toPrecision(3)));
  if (value >= 999_500) return `${digits(value / 1_000_000)} M`;
  return value >= 9_995 ? `${digits(value / 1_000)} k` : withThousands(digits(value));
}

function withThousands(text: string): string {
  return text.replace(/\B(?=(\d{3})+$)/, ' ');
}
