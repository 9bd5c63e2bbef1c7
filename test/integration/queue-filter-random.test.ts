import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Filter, filterFault, filterOperators } from '../../src/queue/filter/filter.ts';
import type { FilterTarget } from '../../src/queue/filter/columns.ts';
import { ids, matching, storeFilterRows } from '../support/filter-rows.ts';
import { createStore, type Store } from '../support/schema.ts';

let store: Store;

beforeAll(async () => {
  store = await createStore();
  await storeFilterRows(store.sql);
});
afterAll(() => store.drop());

test('any filter whatever either runs or is refused as one', async () => {
  const scalar = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('queued', '2025-05-01', ids.dns, '$.a', '$[*] ? (@ > 1)', '%\\', '$x', '$.a like_regex "("', '[1'),
  );
  const filter = fc.record({
    column: fc.oneof(
      fc.constantFrom(
        'id',
        'data',
        'data',
        'data',
        'status',
        'priority',
        'hash',
        'created_at',
        'schedule',
        'tasks',
        'enabled',
      ),
      fc.string(),
    ),
    field: fc.oneof(
      fc.constantFrom(
        null,
        undefined,
        'level',
        'flag',
        'tags',
        'boefje__id',
        'boefje__oci_image',
        'status',
        'enabled',
        'data__level',
      ),
      fc.string({ unit: 'binary' }),
    ),
    operator: fc.constantFrom(...filterOperators),
    value: fc.oneof(scalar, fc.array(fc.string()), fc.array(fc.double()), fc.array(fc.boolean()), fc.array(scalar)),
  }) as fc.Arbitrary<Filter>;
  const group = fc.array(filter, { maxLength: 2 });
  const request = fc.oneof(group, fc.record({ and: group, or: group, not: group }, { requiredKeys: [] }));
  const seen = { ran: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(request, fc.constantFrom<FilterTarget>('queue', 'tasks', 'schedules'), async (filters, target) => {
      try {
        await matching(store.sql, target, filters);
        seen.ran += 1;
      } catch (error) {
        expect(filterFault(error)).toMatchObject({ code: 'INVALID_FILTER' });
        seen.refused += 1;
      }
    }),
    { numRuns: 2_000 },
  );
  expect(seen.ran).toBeGreaterThan(100);
  expect(seen.refused).toBeGreaterThan(100);
});
