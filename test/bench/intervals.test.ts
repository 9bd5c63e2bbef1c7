import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { covered } from '../../bench/harness/intervals.ts';

const interval = fc
  .tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 20 }))
  .map(([began, length]) => ({ began, ended: began + length }));

test('what several parts cover counts once, and only within the whole', () => {
  fc.assert(
    fc.property(interval, fc.array(interval), (whole, parts) => {
      const units = Array.from({ length: whole.ended - whole.began }, (_, at) => whole.began + at);
      const inside = units.filter((unit) => parts.some(({ began, ended }) => began <= unit && unit < ended));
      expect(covered(whole, parts)).toBe(inside.length);
    }),
  );
});
