import type { FaultKind } from '../../src/simulator/virtual/faults.ts';

/** A seed that found a fault: it is played by each run of the tests. */
export interface FoundSeed {
  readonly seed: number;
  readonly days: number;
  readonly organisations: number;
  readonly objects: number;
  readonly faults: readonly FaultKind[] | 'all';
  /** What was wrong. */
  readonly found: string;
}

export const foundSeeds: readonly FoundSeed[] = [
  {
    seed: 14,
    days: 2,
    organisations: 2,
    objects: 25,
    faults: ['katalogus'],
    found:
      'a person asked for a run of a boefje with an interval while Katalogus was out: its schedule took the grace period and lost its rhythm',
  },
];
