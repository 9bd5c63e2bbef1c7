import { median } from '../harness/statistics.ts';

/** One round: the defaults before and after, what is tried in between. All in the same unit, more is better. */
export interface Round {
  readonly before: number;
  readonly tried: number;
  readonly after: number;
}

export interface Comparison {
  /** 0.1: a tenth more than with the defaults. */
  readonly gain: number;
  /** What the defaults differ from themselves within a round: less than that says nothing. */
  readonly noise: number;
  readonly verdict: 'better' | 'worse' | 'same' | 'unclear';
}

/** A smaller gain is not worth a setting. */
const leastGain = 0.03;

/** Beyond it there is no result: something else keeps the machine busy. */
const mostNoise = 0.2;

/** A difference counts where it is larger than the noise, and where all rounds but one in five show it. */
export function compare(rounds: readonly Round[]): Comparison {
  const ratios = rounds.map(({ before, tried, after }) => (2 * tried) / (before + after));
  const gain = median(ratios) - 1;
  const noise = Math.max(leastGain, median(rounds.map(({ before, after }) => Math.abs(after / before - 1))));
  if (noise > mostNoise) return { gain, noise, verdict: 'unclear' };
  const agreeing = ratios.filter((ratio) => Math.sign(ratio - 1) === Math.sign(gain)).length;
  const shown = Math.abs(gain) > noise && agreeing >= rounds.length - Math.floor(rounds.length / 5);
  return { gain, noise, verdict: shown ? (gain > 0 ? 'better' : 'worse') : 'same' };
}

/** Better somewhere, and surely not worse anywhere. */
export function isWorthwhile(comparisons: readonly Comparison[]): boolean {
  const verdicts = comparisons.map(({ verdict }) => verdict);
  return verdicts.includes('better') && !verdicts.includes('worse') && !verdicts.includes('unclear');
}

/** Which of several to use: the place of the one that gains most of those that are worthwhile; null where none is. */
export function bestOf(tried: readonly (readonly Comparison[])[]): number | null {
  const gains = tried.map((one) =>
    isWorthwhile(one) ? one.reduce((product, { gain }) => product * (1 + gain), 1) ** (1 / one.length) : 0,
  );
  const most = Math.max(0, ...gains);
  return most === 0 ? null : gains.indexOf(most);
}
