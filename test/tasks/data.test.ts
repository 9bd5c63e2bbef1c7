import { expect, test } from 'vitest';
import { taskTypeOf } from '../../src/tasks/data.ts';

test('lessons 1: environment and runnable_hash of a raw file are dropped, never stored', () => {
  const parsed = taskTypeOf('normalizer').schema.parse({
    normalizer: { id: 'kat_dns_normalize' },
    raw_data: {
      id: '00000000-0000-0000-0000-000000000001',
      boefje_meta: {
        id: '00000000-0000-0000-0000-000000000002',
        boefje: { id: 'dns-records' },
        organization: 'aa',
        environment: { API_KEY: 'hunter2' },
        runnable_hash: 'abc',
      },
      mime_types: [{ value: 'boefje/dns-records' }],
    },
  });
  expect(JSON.stringify(parsed)).not.toContain('hunter2');
  expect(JSON.stringify(parsed)).not.toContain('runnable_hash');
});

test("Rocky's push body is accepted: data.type and null ids are normal, unknown keys are ignored", () => {
  const data = taskTypeOf('boefje').schema.parse({
    type: 'boefje',
    id: null,
    boefje: {
      id: 'dns-records',
      name: 'DNS records',
      version: null,
      oci_image: 'ghcr.io/minvws/openkat/generic:latest',
    },
    input_ooi: 'Hostname|internet|mispo.es',
    organization: 'aa',
    deduplication_key: null,
  });
  expect(data).not.toHaveProperty('type');
  expect(data).toMatchObject({ input_ooi: 'Hostname|internet|mispo.es', dispatches: [] });
});

test.each([
  ['boefje', { foo: 'bar' }],
  ['boefje', { boefje: { id: '' }, organization: 'aa' }],
  ['boefje', { id: 'not a uuid', boefje: { id: 'x' }, organization: 'aa' }],
  ['normalizer', { normalizer: { id: 'x' } }],
  ['report', { organisation_id: 'aa' }],
])('malformed data of a %s task is refused: %j', (type, data) => {
  expect(taskTypeOf(type).schema.safeParse(data).success).toBe(false);
});
