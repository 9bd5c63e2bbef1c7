import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Filter, FilterRequest } from '../../src/queue/filter/filter.ts';
import { createTaskLists } from '../../src/queue/lists/lists.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connectPools, type Pools } from '../../src/postgres/pool.ts';
import { createTaskQueue, type RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { createDatabase } from '../support/database.ts';
import { boefjeTask, popRequest } from '../support/queue.ts';

/** What a burst of a large installation leaves: enough for a filter of a hundred patterns to take a minute. */
const queued = 20_000;

let pools: Pools;
let queue: RunningTaskQueue;
let end: () => Promise<void>;

beforeAll(async () => {
  const database = await createDatabase();
  await migrate(database.url);
  pools = connectPools(database.url, 25);
  queue = createTaskQueue({ databaseUrl: database.url, connections: pools.queueConnections });
  const data = JSON.stringify(boefjeTask('Hostname|internet|a.example.nl', { image: 'img:served' }).data);
  for (let from = 1; from < queued; from += 5_000) {
    await pools.sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, attempts, unbegun)
    SELECT gen_random_uuid(), 'boefje', 'aa', 'boefje', md5(n::text), 5,
      jsonb_set(${data}::text::jsonb, '{text}', to_jsonb(repeat(md5(n::text), 60))), 'QUEUED', now(), 0, 0
    FROM generate_series(${from}::int, ${from + 4_999}::int) AS n`;
  }
  await pools.sql`INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation, plugin, image)
    SELECT scheduler_id, priority, created_at, id, hash, organisation, 'dns-records', 'img:served' FROM tasks`;
  end = async () => {
    await queue.drain();
    await pools.end(1);
    await database.drop();
  };
}, 120_000);
afterAll(() => end());

/** Distinct from call to call, and true of nothing. */
let made = 0;
function expensive(): FilterRequest {
  made += 1;
  const filters = Array.from({ length: 100 }, (_, at): Filter => ({
    column: 'data',
    field: 'text',
    operator: 'ilike',
    value: `%${made}nothing${at}%a_b%c%`,
  }));
  return { filters: { or: filters } };
}

const p99 = (times: readonly number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]!;

const taken = async (work: Promise<unknown>) => {
  const started = performance.now();
  const end = await work.then(
    () => 'answered',
    (error: { code: string }) => error.code,
  );
  return { end, ms: performance.now() - started };
};

test('pops that search in vain are ended within seconds, and hold up neither others nor those along an index', async () => {
  const served: FilterRequest = {
    filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'in', value: ['img:served'] }],
  };
  const popBoth = async (times: number[]) => {
    for (const filters of [null, served]) {
      const { end: how, ms } = await taken(queue.pop('boefje', popRequest({ filters })));
      expect(how).toBe('answered');
      times.push(ms);
    }
  };
  const quiet: number[] = [];
  while (quiet.length < 200) await popBoth(quiet);
  const expensiveOnes = Array.from({ length: 5 }, () =>
    taken(queue.pop('boefje', popRequest({ filters: expensive() }))),
  );
  const others: number[] = [];
  let searching = true;
  const all = Promise.all(expensiveOnes).finally(() => (searching = false));
  while (searching && others.length < 400) await popBoth(others);
  const ended = await all;
  expect(ended.map(({ end: how }) => how)).toEqual(
    ended.map(() => expect.stringMatching(/^(?:FILTER_TOO_SLOW|DATABASE_UNAVAILABLE)$/)),
  );
  expect(ended.filter(({ end: how }) => how === 'FILTER_TOO_SLOW').length).toBeGreaterThan(0);
  expect(Math.max(...ended.map(({ ms }) => ms))).toBeLessThan(13_000);
  // Other files of the tests use the machine, too: what they cost is in the quiet ones.
  expect(p99(others)).toBeLessThan(Math.max(250, 3 * p99(quiet)));
});

test('a filter that was too slow is refused at once when it is sent again', async () => {
  const filters = expensive();
  expect(await taken(queue.pop('boefje', popRequest({ filters })))).toMatchObject({ end: 'FILTER_TOO_SLOW' });
  const again = await taken(queue.pop('boefje', popRequest({ filters, waitMs: 60_000 })));
  expect(again.end).toBe('FILTER_TOO_SLOW');
  expect(again.ms).toBeLessThan(500);
});

test('lists that search in vain are given up within their bound, and plain lists are there meanwhile', async () => {
  const lists = createTaskLists(pools.sql, pools.pages);
  const bounds = { offset: 0, limit: 10, countPages: null };
  const expensiveOnes = Promise.all(
    Array.from({ length: 14 }, () => taken(lists.tasks({ ...bounds, filters: expensive() }))),
  );
  for (let at = 0; at < 10; at += 1) {
    expect(await taken(lists.tasks({ ...bounds, filters: null, organisation: 'aa', countPages: 1 }))).toMatchObject({
      end: 'answered',
    });
  }
  for (const { end: how, ms } of await expensiveOnes) {
    expect(how).toBe('LIST_TOO_SLOW');
    expect(ms).toBeLessThan(12_000);
  }
});

test('the largest filters are planned in time', async () => {
  const columns = ['data', 'schedule'] as const;
  const widest: Filter[] = Array.from({ length: 100 }, (_, at) => ({
    column: columns[at % 2]!,
    field: at % 2 === 0 ? `a__${at}` : `data__b__${at}`,
    operator: at % 3 === 0 ? '@?' : 'eq',
    value: at % 3 === 0 ? '$.a[*] ? (@ > 1)' : 'x',
  }));
  const values = Array.from({ length: 10_000 }, (_, at) => `value-${at}`);
  const filters: FilterRequest[] = [
    { filters: widest },
    { filters: { or: widest } },
    { filters: { not: widest } },
    { filters: [{ column: 'data', field: 'x', operator: 'in', value: values }] },
    { filters: [{ column: 'data', field: 'x', operator: 'any', value: values }] },
    { filters: { not: [{ column: 'organisation', operator: 'not_in', value: values }] } },
  ];
  for (const one of filters) {
    const { ms } = await taken(queue.pop('normalizer', popRequest({ filters: one })));
    expect(ms).toBeLessThan(3_000);
  }
});
