import * as fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { HeldLeases } from '../../../src/queue/pop/held-leases.ts';
import type { PopRequest } from '../../../src/queue/queue.ts';

afterEach(() => void vi.restoreAllMocks());

const pop = (holder: string, limit: number): PopRequest => ({
  limit,
  filters: null,
  waitMs: 0,
  leaseMs: 60_000,
  via: 'nats',
  worker: null,
  holder,
});

test('a client never holds more than it may, whatever its claims in flight bring', () => {
  const step = fc.record({ limit: fc.integer({ min: 1, max: 10 }), ends: fc.nat(2) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      // No count ever comes back: what was handed out is held.
      const held = new HeldLeases({ most: 20, count: () => new Promise(() => {}) });
      const claims: PopRequest[] = [];
      let leases = 0;
      for (const { limit, ends } of steps) {
        if (held.admit(pop('a', limit))) claims.push(pop('a', limit));
        for (const claim of claims.splice(0, ends)) {
          held.handedOut(claim, claim.limit);
          leases += claim.limit;
        }
        expect(leases).toBeLessThanOrEqual(20);
      }
    }),
  );
});

test('a client that settles what it has is counted, and goes on', async () => {
  const count = vi.fn<(holder: string) => Promise<number>>(async () => 0);
  const held = new HeldLeases({ most: 20, count });
  for (let n = 0; n < 100; n += 1) {
    vi.spyOn(performance, 'now').mockReturnValue(n * 1_000);
    const claim = pop('a', 5);
    expect(held.admit(claim)).toBe(true);
    held.handedOut(claim, 5);
    await Promise.resolve();
  }
  expect(count).toHaveBeenCalledWith('a');
});

test('what is handed out while a count is under way is not forgotten', async () => {
  const counted = Promise.withResolvers<number>();
  const held = new HeldLeases({ most: 20, count: () => counted.promise });
  for (const limit of [10, 5]) {
    expect(held.admit(pop('a', limit))).toBe(true);
    held.handedOut(pop('a', limit), limit);
  }
  counted.resolve(10);
  await counted.promise;
  expect(held.admit(pop('a', 6))).toBe(false);
  expect(held.admit(pop('a', 5))).toBe(true);
});

test('nothing is counted of a client with less than half, and one client does not block another', () => {
  const count = vi.fn<(holder: string) => Promise<number>>(() => Promise.reject(new Error('the database is away')));
  const held = new HeldLeases({ most: 20, count });
  held.admit(pop('a', 10));
  expect(count).not.toHaveBeenCalled();
  held.admit(pop('a', 10));
  expect(count).toHaveBeenCalledOnce();
  expect(held.admit(pop('a', 1))).toBe(false);
  expect(held.admit(pop('b', 20))).toBe(true);
});

test('a count that took long is not followed by another for twenty times as long', async () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  const counts: (() => void)[] = [];
  const held = new HeldLeases({ most: 20, count: () => new Promise((resolve) => counts.push(() => resolve(15))) });
  const claim = () => held.admit(pop('a', 1)) && held.handedOut(pop('a', 1), 1);
  held.admit(pop('a', 15));
  held.handedOut(pop('a', 15), 15);
  now.mockReturnValue(100);
  counts[0]!();
  await Promise.resolve();
  now.mockReturnValue(2_099);
  claim();
  expect(counts).toHaveLength(1);
  now.mockReturnValue(2_101);
  claim();
  expect(counts).toHaveLength(2);
});

test('a claim that is larger than all it may hold is taken by a client that has none', () => {
  const held = new HeldLeases({ most: 5, count: async () => 0 });
  expect(held.admit(pop('a', 10))).toBe(true);
});
