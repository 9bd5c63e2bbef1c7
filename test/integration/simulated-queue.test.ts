import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { anyCommand } from '../support/both-queues/command.ts';
import { anyLimits } from '../support/both-queues/limits.ts';
import { BothQueues, type Scenario } from '../support/both-queues/play.ts';

/** A night's worth: docs/simulation.md. */
const runs = Number(process.env['SIMULATED_QUEUE_RUNS'] ?? 10);

let both: BothQueues;
beforeAll(async () => {
  both = await BothQueues.open();
});
afterAll(() => both.close());

const scenario: fc.Arbitrary<Scenario> = fc.record({
  policy: fc.constantFrom('fair-share', 'created-at'),
  limits: anyLimits,
  commands: fc.array(anyCommand, { minLength: 20, maxLength: 60, size: 'max' }),
});

test('the simulated queue decides as the statements do, whatever is asked of both', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const difference = await both.play(given);
      expect(difference?.inMemory ?? null).toEqual(difference?.byStatements ?? null);
    }),
    { numRuns: runs, endOnFailure: false },
  );
});
