import { expect, test } from 'vitest';
import { race } from '../support/limits-race.ts';
import { faults } from '../support/limits-race-faults.ts';

/** Short races until one shows it, at seeds of their own. */
const races = 20;
const seconds = 3;
const pauseMs = 10;
const first = Number(process.env['LIMITS_RACE_SEED'] ?? 1);

const raced = faults.flatMap((fault) => fault.seenBy.map((kind) => ({ ...fault, kind })));

test.for(raced)('a $kind race shows it where $name', { timeout: 180_000 }, async ({ kind, ...fault }) => {
  for (let nth = 0; nth < races; nth += 1) {
    const { violations } = await race({ kind, seed: first + nth, seconds, fault, pauseMs });
    const seen = violations.find((violation) => fault.told.test(violation));
    if (seen !== undefined) {
      process.stdout.write(`limits: ${fault.name}: seen in race ${nth + 1}: ${seen}\n`);
      return;
    }
  }
  expect.fail(`not seen in ${races} races of ${seconds} s`);
});

test.for(['tight', 'wide'] as const)(
  'no %s race shows anything without a fault, under the same pauses',
  { timeout: 180_000 },
  async (kind) => {
    for (let nth = 0; nth < 2; nth += 1) {
      const { violations } = await race({ kind, seed: first + nth, seconds, pauseMs });
      expect(violations).toEqual([]);
    }
  },
);
