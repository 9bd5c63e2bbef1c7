import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf } from '../../src/errors.ts';
import { FiltersInUse } from '../../src/filters-in-use.ts';
import { KindInFlight } from '../../src/nats/fair-use.ts';

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

test('a client’s pops share the filters they have in common; 1 000 of all are everybody’s', () => {
  const filters = new FiltersInUse(2);
  const leave = filters.enter('a', 'one');
  filters.enter('a', 'one');
  filters.enter('a', 'two');
  expect(refusal(() => filters.enter('a', 'three'))).toBe('TOO_MANY_REQUESTS');
  leave();
  expect(refusal(() => filters.enter('a', 'three'))).toBe('TOO_MANY_REQUESTS');
  for (let at = 0; at < 998; at += 1) filters.enter(`client ${at}`, 'own');
  expect(refusal(() => filters.enter('b', 'own'))).toBe('MAILBOX_FULL');
});
