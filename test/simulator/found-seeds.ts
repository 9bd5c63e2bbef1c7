import type { FaultKind } from '../../src/simulator/virtual/faults.ts';
import { typicalLimits } from '../../src/simulator/virtual/limits-file.ts';
import type { SimulationOptions } from '../../src/simulator/virtual/simulation.ts';

/** A seed that found a fault, and its options: it is played by each run of the tests. */
export interface FoundSeed extends Omit<SimulationOptions, 'faults' | 'policy'> {
  /** fair-share where absent. */
  readonly policy?: SimulationOptions['policy'];
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
  {
    seed: 29,
    days: 2,
    organisations: 5,
    objects: 40,
    faults: 'all',
    limits: typicalLimits,
    found:
      'the check of fair-share took a task behind others of its flow that a limit held for the first one of its flow',
  },
  {
    seed: 50,
    days: 2,
    organisations: 5,
    objects: 40,
    faults: 'all',
    limits: typicalLimits,
    found:
      'the check of fair-share held an organisation’s images to turns among themselves, which are promised among organisations: an image joins at the head of the queue, behind some of another image',
  },
];
