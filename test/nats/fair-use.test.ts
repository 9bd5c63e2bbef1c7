import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf } from '../../src/errors.ts';
import { FiltersInUse } from '../../src/filters-in-use.ts';
import { inFlightByKind, KindInFlight } from '../../src/nats/fair-use.ts';

const refusal = (work: () => unknown) => {
  try {
    work();
    return null;
  } catch (error) {
    return codeOf(error);
  }
};

test('whatever comes and goes, nobody has more than its share, and all of it comes back', () => {
  const step = fc.record({ client: fc.constantFrom('a', 'b', 'c'), bytes: fc.nat(60), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const kind = new KindInFlight({ most: 5, mostBytes: 100 }, 3, 'things');
      const held: { client: string; bytes: number; leave: () => void }[] = [];
      for (const { client, bytes, leaves } of steps) {
        if (leaves) held.shift()?.leave();
        const own = held.filter((one) => one.client === client);
        const code = refusal(() => held.push({ client, bytes, leave: kind.enter(client, bytes) }));
        const sum = own.reduce((all, one) => all + one.bytes, 0);
        const exceeds = own.length >= 3 || (own.length > 0 && sum + bytes > 50);
        expect(code === 'TOO_MANY_REQUESTS').toBe(exceeds);
      }
      for (const { leave } of held) leave();
      expect(refusal(() => kind.enter('a', 99))).toBeNull();
    }),
  );
});

test('a client’s pops share the filters they have in common', () => {
  const filters = new FiltersInUse(2);
  const leave = filters.enter('a', 'one');
  filters.enter('a', 'one');
  filters.enter('a', 'two');
  expect(refusal(() => filters.enter('a', 'three'))).toBe('TOO_MANY_REQUESTS');
  leave();
  expect(refusal(() => filters.enter('a', 'three'))).toBe('TOO_MANY_REQUESTS');
});

test('a fleet with one filter waits, however many clients it is', () => {
  const filters = new FiltersInUse(100);
  for (let at = 0; at < 2_000; at += 1) filters.enter(`client ${at}`, 'images');
  expect(refusal(() => filters.enter('another', 'own'))).toBeNull();
});

test('clients that take all the filters they may leave some to those that come later, and give theirs back', () => {
  const filters = new FiltersInUse(100);
  const leaves: (() => void)[] = [];
  const taken = Array.from({ length: 10 }, (_, client) => {
    for (let at = 0; ; at += 1) {
      if (refusal(() => leaves.push(filters.enter(`greedy ${client}`, `${client} ${at}`))) !== null) return at;
    }
  });
  expect(taken[0]).toBe(100);
  expect(Math.min(...taken)).toBeGreaterThan(10);
  for (const leave of leaves) leave();
  for (let at = 0; at < 100; at += 1) expect(refusal(() => filters.enter('next', `own ${at}`))).toBeNull();
});

test('operator commands have a bound of their own, that no variable moves', () => {
  const ctl = inFlightByKind({ pops: 1, filters: 1, requests: 1 })('ctl-one');
  for (let at = 0; at < 500; at += 1) ctl.enter('operator', 10);
  expect(() => ctl.enter('operator', 10)).toThrow(/^this client has 500 commands in flight already$/);
});
