import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseUuid } from '../../src/tasks/lax.ts';
import { timeOrderedUuid } from '../../src/tasks/identity.ts';

const moments = fc.integer({ min: 0, max: 2 ** 48 - 1 });

test('an id of ours is a UUID of version 7, as any reader of UUIDs takes it', () => {
  fc.assert(
    fc.property(moments, (now) => {
      const id = timeOrderedUuid(now);
      expect(parseUuid(id)).toBe(id);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }),
  );
});

test('what is made later sorts later, and no two are alike', () => {
  fc.assert(
    fc.property(moments, moments, (one, other) => {
      const [first, second] = [timeOrderedUuid(one), timeOrderedUuid(other)];
      expect(first).not.toBe(second);
      if (one !== other) expect(first < second).toBe(one < other);
    }),
  );
});
