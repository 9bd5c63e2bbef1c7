import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonpaths } from '../fuzz/jsonpaths.ts';
import { type RestOnPostgres, serveOnPostgres } from '../support/rest.ts';
import { schedule } from '../support/schedule-rows.ts';

/** A jsonpath is checked by Postgres alone, some of it only where a row is looked into: so there are rows. */
let rest: RestOnPostgres;

beforeAll(async () => {
  rest = await serveOnPostgres();
  await schedule(rest.sql, { ooi: 'Hostname|internet|a.nl' });
  for (let at = 0; at < 3; at += 1) {
    const data = { boefje: { id: 'dns-records' }, input_ooi: randomUUID(), organization: 'aa' };
    await rest.queue.push('boefje', [{ organisation: 'aa', priority: 1, data }]);
  }
});
afterAll(() => rest.stop());

test.each(['/schedulers/boefje/pop', '/tasks', '/tasks?allow_partial_count=true', '/schedules/search'])(
  'POST %s with whatever jsonpath is answered, or refused as the request’s fault',
  async (path) => {
    for (const value of jsonpaths) {
      for (const operator of ['@?', '@@']) {
        const reply = await fetch(rest.url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ filters: [{ column: 'data', operator, value }] }),
        });
        const text = await reply.text();
        expect([200, 400, 422], `${operator} ${value.slice(0, 50)}: ${text.slice(0, 300)}`).toContain(reply.status);
      }
    }
  },
);
