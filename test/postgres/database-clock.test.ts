import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { DatabaseClock } from '../../src/postgres/database-clock.ts';
import { SharedClock } from '../../src/shared-clock.ts';

/** A database a round trip away: its clock is `aheadMs` ahead of the monotonic one. */
class FarDatabase {
  now = 1_000;
  aheadMs = Date.UTC(2026, 2, 2, 12);
  there = 1;
  back = 1;
  away = false;
  readonly clock = new DatabaseClock(
    async () => {
      if (this.away) throw new Error('away');
      this.now += this.there;
      const answer = this.time();
      this.now += this.back;
      return answer;
    },
    () => this.now,
  );

  time(): number {
    return this.now + this.aheadMs;
  }

  /** How far its idea of the time is off. */
  errorMs(): number {
    return Math.abs(this.clock.shared.now() - this.time());
  }
}

/** It answers in whole milliseconds. */
const rounding = 1;
const trip = fc.oneof({ arbitrary: fc.nat({ max: 20 }), weight: 3 }, { arbitrary: fc.nat({ max: 5_000 }), weight: 1 });

test('it is never further off than half the quickest of its round trips, and a slow one changes nothing', async () => {
  const looks = fc.array(fc.record({ there: trip, back: trip, restMs: fc.nat({ max: 10_000 }) }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(looks, async (looks) => {
      const database = new FarDatabase();
      let bound = Number.POSITIVE_INFINITY;
      for (const { there, back, restMs } of looks) {
        Object.assign(database, { there, back });
        await database.clock.look();
        // What is known grows less sure by a millisecond a second, for clocks drift apart.
        bound = Math.min(bound + there / 1_000 + back / 1_000, (there + back) / 2);
        expect(database.errorMs()).toBeLessThanOrEqual(bound + rounding);
        database.now += restMs;
        bound += restMs / 1_000;
      }
    }),
  );
});

test("a step of the database's clock is followed by the next answer, whatever its round trip", async () => {
  const looks = fc.array(
    fc.record({ there: trip, back: trip, stepMs: fc.integer({ min: -7_200_000, max: 7_200_000 }) }),
    { minLength: 1 },
  );
  await fc.assert(
    fc.asyncProperty(looks, async (looks) => {
      const database = new FarDatabase();
      for (const { there, back, stepMs } of looks) {
        database.aheadMs += stepMs;
        Object.assign(database, { there, back });
        await database.clock.look();
        // An answer that does not contradict what is known differs by less than both may be wrong.
        expect(database.errorMs()).toBeLessThanOrEqual((3 * (there + back)) / 2 + rounding);
      }
    }),
  );
});

test('the quickest of late counts, and not the latest', async () => {
  const database = new FarDatabase();
  await database.clock.look();
  Object.assign(database, { there: 4_000, back: 0 });
  await database.clock.look();
  expect(database.errorMs()).toBeLessThanOrEqual(1 + rounding);
});

test("steps of this machine's wall clock change nothing, in any thread", async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const clock = new DatabaseClock(async () => Date.UTC(2026, 2, 2, 12));
    await clock.look();
    const elsewhere = new SharedClock(clock.shared.memory);
    const before = clock.shared.now();
    vi.setSystemTime(Date.UTC(2001, 0));
    expect(clock.shared.now() - before).toBeLessThan(5_000);
    expect(elsewhere.now() - before).toBeLessThan(5_000);
    expect(elsewhere.now()).toBeGreaterThanOrEqual(before);
  } finally {
    vi.useRealTimers();
  }
});

test('before the database has given its time the clock gives none, and the start fails with the reason', async () => {
  const database = new FarDatabase();
  database.away = true;
  await expect(database.clock.start()).rejects.toThrow('away');
  expect(() => database.clock.shared.now()).toThrow('the database has not told its time yet');
});

test('while the database is away the time goes on', async () => {
  const database = new FarDatabase();
  await database.clock.look();
  database.away = true;
  await expect(database.clock.look()).rejects.toThrow('away');
  database.now += 3_600_000;
  expect(database.errorMs()).toBeLessThanOrEqual(1 + rounding);
});
