import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boefjeRun, rawFileReceived } from '../../src/simulator/events.ts';
import { type RestOnPostgres, serveOnPostgres } from '../support/rest.ts';
import { schedule } from '../support/schedule-rows.ts';

/** Rows of docs/differences-from-mula.md, "Smaller differences", about lists: asked as Rocky asks. */
let rest: RestOnPostgres;

beforeAll(async () => {
  rest = await serveOnPostgres();
  const boefjeTask = (ooi: string, organisation: string) => ({
    organisation,
    priority: 1,
    data: { boefje: { id: 'dns-records' }, input_ooi: `Hostname|internet|${ooi}`, organization: organisation },
  });
  await rest.queue.push('boefje', [
    ...Array.from({ length: 24 }, (_, at) => boefjeTask(`${at}.example.nl`, 'aa')),
    boefjeTask('50%_off.nl', 'bb'),
  ]);
  const run = { boefje: 'nmap', inputOoi: 'Hostname|internet|www.example.nl', organisation: 'aa', tookMs: 10 };
  const { raw_data } = rawFileReceived(randomUUID(), boefjeRun(run), ['boefje/nmap']);
  await rest.queue.push('normalizer', [
    { organisation: 'aa', priority: 1, data: { normalizer: { id: 'kat_nmap' }, raw_data } },
  ]);
});
afterAll(() => rest.stop());

interface Page {
  readonly count: number;
  readonly next: string | null;
  readonly results: readonly { readonly data: { readonly input_ooi?: string } }[];
  readonly is_partial_count?: boolean;
}

async function list(path: string, body?: unknown): Promise<Page> {
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return (await fetch(rest.url + path, body === undefined ? {} : json)).json() as Promise<Page>;
}

test('lessons 1: an empty last page has a link to it, as clients know it', async () => {
  const page = await list('/tasks?scheduler_id=normalizer&limit=1');
  expect(page).toMatchObject({ count: 1, next: expect.stringContaining('limit=1&offset=1') });
  expect(await list(page.next!.slice(rest.url.length))).toMatchObject({ count: 1, next: null, results: [] });
});

test('lessons 1: input_ooi and plugin_id find tasks by a part of their OOI and by their plug-in', async () => {
  const count = async (query: string) => (await list(`/tasks?limit=100&${query}`)).results.length;
  expect(await count('input_ooi=EXAMPLE.nl')).toBe(25);
  expect(await count('input_ooi=www.example&scheduler_id=normalizer')).toBe(1);
  expect(await count(`input_ooi=${encodeURIComponent('%_')}`)).toBe(1);
  expect(await count('plugin_id=kat_nmap')).toBe(1);
  expect(await count('plugin_id=dns-records&organisation=bb')).toBe(1);
});

test('lessons 1: a search without a limit shows all 150 schedules of a page of Rocky’s, not ten', async () => {
  const oois = Array.from({ length: 150 }, (_, at) => `Hostname|internet|${at}.nl`);
  for (const ooi of oois) await schedule(rest.sql, { ooi });
  const filters = [{ column: 'data', field: 'input_ooi', operator: 'in', value: oois }];
  expect(await list('/schedules/search', { filters })).toMatchObject({ count: 150, results: { length: 150 } });
});

test('lessons 1: partial counts stop at the limit of the request; a limit of 0 counts exactly', async () => {
  // One more than two pages: the count says only that there are more.
  const partial = await list('/tasks?limit=5&allow_partial_count=true&max_pages=2');
  expect(partial).toMatchObject({ count: 11, is_partial_count: true });
  expect(partial.results).toHaveLength(5);
  expect(await list('/tasks?limit=0&allow_partial_count=true&max_pages=2')).toMatchObject({ count: 26 });
  expect(await list('/tasks?limit=5')).not.toHaveProperty('is_partial_count');
});

test('lessons 1: repeated organisation_ids count several organisations in one request', async () => {
  await rest.queue.foldCounts();
  const totals = async (query: string) => {
    const hours = (await (await fetch(`${rest.url}/tasks/stats?${query}`)).json()) as Record<string, { total: number }>;
    return Object.values(hours).reduce((sum, { total }) => sum + total, 0);
  };
  expect(await totals('organisation_ids=aa&organisation_ids=bb')).toBe(26);
  expect(await totals('organisation_ids=bb')).toBe(1);
});
