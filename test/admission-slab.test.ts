import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Slab } from '../src/admission.ts';

test('holds what a Set would hold, whatever is added and removed', () => {
  const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat({ max: 20 })), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (chosen) => {
      const slab = new Slab<{ n: number }>();
      const model = new Set<{ n: number }>();
      const known: [number, { n: number }][] = [];
      for (const [n, step] of chosen.entries()) {
        if (step === 'add') {
          const item = { n };
          known.push([slab.add(item), item]);
          model.add(item);
        } else if (step < known.length) {
          // Also what was removed before, whose key another may have by now.
          const [key, item] = known[step]!;
          expect(slab.remove(key, item)).toBe(model.delete(item));
        }
        expect(slab.size).toBe(model.size);
        expect(new Set(slab)).toEqual(model);
      }
    }),
  );
});

test('takes no more places than there were items at once', () => {
  const slab = new Slab<object>();
  const keys = new Set<number>();
  for (let n = 0; n < 1_000; n += 1) {
    const items = [{}, {}, {}];
    const added = items.map((item) => slab.add(item));
    for (const [at, key] of added.entries()) {
      keys.add(key);
      slab.remove(key, items[at]!);
    }
  }
  expect(keys.size).toBe(3);
});
