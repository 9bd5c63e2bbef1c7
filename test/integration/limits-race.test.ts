import { expect, test } from 'vitest';
import { race } from '../support/limits-race.ts';

/** Longer ones by hand: LIMITS_RACE_SECONDS=3600. Each race has limits and a database of its own, which goes with it. */
const seconds = Number(process.env['LIMITS_RACE_SECONDS'] ?? 30);
/** To set one up, to check it and to end it takes 4 s. */
const perRace = seconds > 60 ? 60 : 15;
const first = Number(process.env['LIMITS_RACE_SEED'] ?? Date.now() % 1_000_000_000);
const races = Math.max(2, Math.ceil(seconds / perRace));
const total = { claims: 0, admissions: 0 };

/** Of ten races of a long run one is tight: the others have twenty times the admissions. */
const kindOf = (nth: number) => (nth % 10 === 0 ? 'tight' : 'wide');

test.for(Array.from({ length: races }, (_, nth) => [kindOf(nth), first + nth] as const))(
  'no limit is ever exceeded, whatever is killed; nothing stays behind: %s, seed %i',
  { timeout: 300_000 },
  async ([kind, seed]) => {
    const began = performance.now();
    const { claims, admissions, atBound, full, violations } = await race({
      kind,
      seed,
      seconds: Math.min(perRace, seconds),
    });
    total.claims += claims;
    total.admissions += admissions;
    const took = (performance.now() - began) / 1_000;
    process.stdout.write(
      `limits: ${kind}, seed ${seed}: ${admissions} admissions of ${claims} claims checked in ${took.toFixed(1)} s, ${atBound} at their key's bound, ${full} keys full; in all ${total.admissions} of ${total.claims} from seed ${first} on\n`,
    );
    expect(violations).toEqual([]);
    // Else there was nothing to exceed; of few, on a machine with other work, none need come to a bound.
    expect(admissions, `seed ${seed}: nothing to check`).toBeGreaterThan(0);
    if (admissions > 1_000) expect([atBound > 0, full > 0], `seed ${seed}: no bound was reached`).toEqual([true, true]);
  },
);
