import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import * as bodies from '../../src/nats/requests.ts';
import { boefjeData, normalizerData, reportData } from '../../src/tasks/data.ts';

const { taskBody, pushSetBody, getBody, patchBody, patchSetBody, popBody, heartbeatBody } = bodies;
const ofBodies = { taskBody, pushSetBody, getBody, patchBody, patchSetBody, popBody, heartbeatBody };
const ofData = { boefjeData, normalizerData, reportData };

test.each(Object.entries({ ...ofBodies, ...ofData }))('%s has nothing that zod cannot compile', (_name, schema) => {
  expect(() => z.compile(schema as z.ZodType, { strict: true })).not.toThrow();
});

const id = '00000000-0000-0000-0000-000000000001';
const boefje = { id: 'dns', name: 'DNS', version: null, oci_image: 'image' };
const run = {
  id,
  boefje,
  input_ooi: 'a',
  arguments: { a: 1 },
  organization: 'o',
  started_at: '2025-05-27T09:00',
  ended_at: 5,
};
const task = { id, organisation: 'o', priority: 1, data: { a: 1 } };
const complete: Readonly<Record<keyof typeof ofData | 'taskBody' | 'patchBody' | 'popBody', object>> = {
  boefjeData: { id, boefje, input_ooi: 'a', organization: 'o', deduplication_key: 'k', dispatches: [] },
  normalizerData: {
    normalizer: { id: 'n', name: 'N', version: '1' },
    raw_data: { id, boefje_meta: run, mime_types: [{ value: 'a/b' }], secure_hash: 'h', hash_retrieval_link: null },
  },
  reportData: { organisation_id: 'o', report_recipe_id: 'r' },
  taskBody: task,
  patchBody: { id, status: 'failed', lease_id: id, error: { code: 'A', message: 'm', detail: 'd' } },
  popBody: { limit: 2, wait_ms: 5, lease_ms: 1_000, worker: 'w' },
};

test.each(Object.entries(complete))('%s, compiled, answers as it does without', (name, whole) => {
  const compiled = { ...ofBodies, ...ofData }[name as keyof typeof complete] as z.ZodObject;
  const plain = compiled._zod.bag['fallbackRun'] as typeof compiled._zod.run;
  const odd = fc.constantFrom<unknown>(
    undefined,
    null,
    '',
    'x',
    'é'.repeat(600),
    0,
    -1.5,
    1e300,
    true,
    [],
    {},
    [1],
    { value: 1 },
    id,
  );
  /** Of all that it holds, at any depth, one member is another value, is gone, or is one that is not known. */
  const changed = fc.tuple(fc.nat(), odd, fc.boolean()).map(([at, value, isNew]) => {
    const copy = structuredClone(whole) as Record<string, unknown>;
    const members: [Record<string, unknown>, string][] = [];
    const collect = (parent: object) => {
      for (const [key, member] of Object.entries(parent)) {
        members.push([parent as Record<string, unknown>, key]);
        if (typeof member === 'object' && member !== null) collect(member as object);
      }
    };
    collect(copy);
    const [parent, key] = members[at % members.length]!;
    parent[isNew ? `${key}_` : key] = value;
    return copy;
  });
  fc.assert(
    fc.property(fc.oneof(changed, fc.constant(whole), odd, fc.jsonValue()), (given) => {
      const before = JSON.stringify(given);
      const asked = plain({ value: structuredClone(given), issues: [] }, { async: false });
      const { value, issues } = asked as Extract<typeof asked, { issues: unknown[] }>;
      const answer = compiled.safeParse(given);
      expect(answer.success).toBe(issues.length === 0);
      if (answer.success) expect(answer.data).toEqual(value);
      else expect(answer.error.issues.map((issue) => issue.path)).toEqual(issues.map((issue) => issue.path ?? []));
      expect(JSON.stringify(given)).toBe(before);
    }),
    { numRuns: 1_000 },
  );
});
