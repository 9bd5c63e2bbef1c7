import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anyCommands } from '../support/both-queues/command.ts';
import { foundDifferences } from '../support/both-queues/found.ts';
import { anyLimits } from '../support/both-queues/limits.ts';
import { BothQueues, type Scenario } from '../support/both-queues/play.ts';

/** Scenarios by chance; docs/simulation.md. */
const runs = Number(process.env['SIMULATED_QUEUE_RUNS'] ?? 12);
/** To shrink a difference takes longest: the test prints what it has by then. */
const longestMs = runs * 2_000 + 120_000;

let both: BothQueues;
beforeAll(async () => {
  both = await BothQueues.open();
});
afterAll(() => both.close());

const scenario: fc.Arbitrary<Scenario> = fc.record({
  policy: fc.constantFrom('fair-share', 'created-at'),
  limits: anyLimits,
  commands: anyCommands,
});

/** The difference is what the assertion shows. */
async function expectOneDecision(given: Scenario): Promise<void> {
  const difference = await both.play(given);
  expect(difference?.inMemory ?? null, 'in memory, beside the statements').toEqual(difference?.byStatements ?? null);
}

const property = fc.asyncProperty(scenario, expectOneDecision);

describe('the simulated queue decides as the statements do', { timeout: 2 * longestMs }, () => {
  test.each(foundDifferences)('where once $found', async ({ found: _found, limits = [], ...given }) => {
    await expectOneDecision({ limits, ...given });
  });

  test.each([1, 2])('in scenarios of seed %i', async (seed) => {
    await fc.assert(property, { seed, numRuns: 24, interruptAfterTimeLimit: longestMs });
  });

  test(`in ${runs} scenarios by chance`, async () => {
    await fc.assert(property, { numRuns: runs, interruptAfterTimeLimit: longestMs });
  });
});
