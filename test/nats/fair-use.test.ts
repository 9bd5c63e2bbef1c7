import { expect, test } from 'vitest';
import { codeOf } from '../../src/errors.ts';
import { FiltersInUse } from '../../src/filters-in-use.ts';
import { inFlightByKind } from '../../src/nats/fair-use.ts';

const refusal = (work: () => unknown) => {
  try {
    work();
    return null;
  } catch (error) {
    return codeOf(error);
  }
};

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
  expect(() => ctl.enter('operator', 10)).toThrow(
    /^this client has 500 commands of 5000 bytes in flight already: try again$/,
  );
});
