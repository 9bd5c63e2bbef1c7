import * as fc from 'fast-check';
import { filterOperators } from '../../src/queue/filter/filter.ts';
import { jsonpaths } from './jsonpaths.ts';
import { hostileString, hostileValue, many } from './hostile.ts';

/** The filter language with what did harm in similar languages: patterns, paths, casts, members of another kind. */

const words = (text: string) => text.split(' ');

const columns = fc.constantFrom(
  ...words(
    'id scheduler_id schedule_id organisation type hash priority data status created_at modified_at deadline_at',
  ),
  ...words('enabled schedule tasks nothing __proto__ data;--'),
);

const fields = fc.constantFrom<string | null>(
  ...words(
    "boefje__id boefje__oci_image input_ooi raw_data__mime_types data__boefje__id a__b__c__d schedule tasks __ 0 '",
  ),
  '__proto__',
  'x'.repeat(2_000),
  'a__'.repeat(500),
  '',
  null,
);

const patterns = [...words('% _ %%%%%%%%%%%%a \\ a\\ ((((( [ (a+)+$ * ? \\u (?'), '%'.repeat(1_000)];

const values = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...jsonpaths) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...patterns) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown>('boefje', 'queued', 'dns', 1, true, null, '2026-01-01T00:00:00Z', [], {}),
  },
  { weight: 2, arbitrary: hostileValue },
  { weight: 1, arbitrary: many(hostileString) },
);

const hostileFilter = fc.record(
  { column: columns, field: fields, operator: fc.constantFrom(...filterOperators), value: values },
  { requiredKeys: ['column', 'operator', 'value'] },
);

const plainFilter = fc.record({
  column: fc.constant('data'),
  field: fc.constantFrom('boefje__id', 'input_ooi'),
  operator: fc.constantFrom('==', 'ilike', 'in' as const),
  value: fc.constantFrom<unknown>('dns', '%a%', ['dns', 'nmap']),
});

const filter = fc.oneof({ weight: 3, arbitrary: hostileFilter }, { weight: 1, arbitrary: plainFilter });
const list = fc.oneof(
  { weight: 10, arbitrary: fc.array(filter, { maxLength: 4 }) },
  { weight: 2, arbitrary: many(filter) },
  { weight: 1, arbitrary: many(fc.constant({})) },
);

const groups = fc.record({ and: list, or: list, not: list }, { requiredKeys: [] });
/** As JSON.parse makes it: a key of its own. */
const prototype = filter.map((one) => JSON.parse(`{"__proto__":[${JSON.stringify(one)}]}`) as object);

export const filterRequest: fc.Arbitrary<unknown> = fc.record({
  filters: fc.oneof(
    { weight: 4, arbitrary: list },
    { weight: 4, arbitrary: groups },
    { weight: 1, arbitrary: prototype },
  ),
});
