import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { fold } from '../../actors/boefje/mutations.ts';

const operation = fc.constantFrom('create' as const, 'update' as const, 'delete' as const);
const mutation = fc.record({
  operation,
  organisation: fc.constantFrom('aa', 'bb'),
  primaryKey: fc.constantFrom('x', 'y'),
});

test('keeps one change per organisation and OOI: the last mutation, and the operations since the last delete', () => {
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 12 }), (mutations) => {
      const changes = fold(
        mutations.map((fields) => ({
          message: { ...fields, kind: 'scan-profile-mutated' as const, objectType: 'Hostname', scanLevel: 2 },
          trace: '',
        })),
      );
      const keys = new Set(mutations.map((it) => `${it.organisation} ${it.primaryKey}`));
      expect(new Set(changes.map((it) => `${it.organisation} ${it.primaryKey}`))).toEqual(keys);
      expect(changes).toHaveLength(keys.size);
      for (const change of changes) {
        const own = mutations
          .filter((it) => it.organisation === change.organisation && it.primaryKey === change.primaryKey)
          .map((it) => it.operation);
        expect(change.ooi === null).toBe(own.at(-1) === 'delete');
        expect([...change.operations].toSorted()).toEqual(
          [...new Set(own.slice(own.lastIndexOf('delete') + 1))].toSorted(),
        );
      }
    }),
  );
});
