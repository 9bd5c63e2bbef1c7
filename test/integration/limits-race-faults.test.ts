import { expect, test } from 'vitest';
import { race } from '../support/limits-race.ts';
import { faults } from '../support/limits-race-faults.ts';

/** Short races until one shows it, at seeds of their own. */
const races = 10;
const seconds = 3;
const pauseMs = 10;
const first = Number(process.env['LIMITS_RACE_SEED'] ?? 1);
const exceeded = /over its rate|at once of/;

test.for(faults)('a race shows that a limit is exceeded where $name', { timeout: 120_000 }, async (fault) => {
  for (let nth = 0; nth < races; nth += 1) {
    const { violations } = await race({ kind: 'tight', seed: first + nth, seconds, fault, pauseMs, drains: false });
    if (violations.some((told) => exceeded.test(told))) {
      process.stdout.write(`limits: ${fault.name}: seen in race ${nth + 1}: ${violations[0]}\n`);
      return;
    }
  }
  expect.fail(`not seen in ${races} races of ${seconds} s`);
});

test('no race shows that without a fault, under the same pauses', async () => {
  for (let nth = 0; nth < 2; nth += 1) {
    const { violations } = await race({ kind: 'tight', seed: first + nth, seconds, pauseMs, drains: false });
    expect(violations).toEqual([]);
  }
});
