import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf } from '../src/errors.ts';
import { FiltersInUse, InFlight } from '../src/admission.ts';

const refusal = { code: 'TOO_MANY_REQUESTS', what: 'things', variable: 'THINGS' } as const;
const all = { most: 8, mostBytes: 100 };
const ofClient = { most: 4, mostBytes: 50 };

function codeOfEntering(inFlight: InFlight, client: string, bytes: number, entered: (leave: () => void) => void) {
  try {
    entered(inFlight.enter(client, bytes));
    return null;
  } catch (error) {
    return codeOf(error);
  }
}

test('no client has more than its part, nor all more than there is, and all of it comes back', () => {
  const step = fc.record({ client: fc.constantFrom('a', 'b', 'c'), bytes: fc.nat(60), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const inFlight = new InFlight({ all, ofClient, refusal });
      const held: { client: string; bytes: number; leave: () => void }[] = [];
      const exceeds = (of: typeof held, more: number, { most, mostBytes }: typeof all) =>
        of.length >= most || (of.length > 0 && of.reduce((sum, one) => sum + one.bytes, 0) + more > mostBytes);
      for (const { client, bytes, leaves } of steps) {
        if (leaves) held.shift()?.leave();
        const own = held.filter((one) => one.client === client);
        const expected = exceeds(own, bytes, ofClient)
          ? 'TOO_MANY_REQUESTS'
          : exceeds(held, bytes, all)
            ? 'MAILBOX_FULL'
            : null;
        const code = codeOfEntering(inFlight, client, bytes, (leave) => held.push({ client, bytes, leave }));
        expect(code).toBe(expected);
      }
      for (const { leave } of held) leave();
      for (const client of ['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b']) inFlight.enter(client, 10);
    }),
  );
});

test('a refusal says what the client has, and what bounds it', () => {
  const inFlight = new InFlight({ all, ofClient, refusal });
  for (let n = 0; n < 4; n += 1) inFlight.enter('a', 10);
  const said = /^this client has 4 things of 40 bytes in flight already \(THINGS\): try again$/;
  expect(() => inFlight.enter('a', 1)).toThrow(said);
});

const refusalOf = (work: () => unknown) => {
  try {
    work();
    return null;
  } catch (error) {
    return codeOf(error);
  }
};

test('a client’s pops share the filters they have in common', () => {
  const filters = new FiltersInUse({ most: 2, all: 500 }, { code: 'TOO_MANY_REQUESTS', bound: 'FILTERS' });
  const leave = filters.enter('a', 'one');
  filters.enter('a', 'one');
  filters.enter('a', 'two');
  expect(refusalOf(() => filters.enter('a', 'three'))).toBe('TOO_MANY_REQUESTS');
  leave();
  expect(refusalOf(() => filters.enter('a', 'three'))).toBe('TOO_MANY_REQUESTS');
});

test('a fleet with one filter waits, however many clients it is', () => {
  const filters = new FiltersInUse({ most: 100, all: 500 }, { code: 'TOO_MANY_REQUESTS', bound: 'FILTERS' });
  for (let at = 0; at < 2_000; at += 1) filters.enter(`client ${at}`, 'images');
  expect(refusalOf(() => filters.enter('another', 'own'))).toBeNull();
});

test('clients that take all the filters they may leave some to those that come later, and give theirs back', () => {
  const filters = new FiltersInUse({ most: 100, all: 500 }, { code: 'TOO_MANY_REQUESTS', bound: 'FILTERS' });
  const leaves: (() => void)[] = [];
  const taken = Array.from({ length: 10 }, (_, client) => {
    for (let at = 0; ; at += 1) {
      if (refusalOf(() => leaves.push(filters.enter(`greedy ${client}`, `${client} ${at}`))) !== null) return at;
    }
  });
  expect(taken[0]).toBe(100);
  expect(Math.min(...taken)).toBeGreaterThan(10);
  for (const leave of leaves) leave();
  for (let at = 0; at < 100; at += 1) expect(refusalOf(() => filters.enter('next', `own ${at}`))).toBeNull();
});
