import { expect, test } from 'vitest';
import { createTaskLists, type TaskListQuery } from '../../src/queue/lists/lists.ts';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { foldCounts } from '../../src/queue/maintenance/counts.ts';
import type { Task } from '../../src/tasks/task.ts';
import { blocksDuring, unattendedDatabase } from '../support/blocks.ts';

/** Lists by what no index has: the status of what is over, the plug-in. Rows are all over the table, as after months. */
const tasks = 20_000;
const behind = 2_000;

async function filled(): Promise<{ url: string; sql: Sql }> {
  const database = await unattendedDatabase();
  await database.sql`
    INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at)
    SELECT gen_random_uuid(), 'boefje', 'o' || age % 10, 'boefje', md5(age::text), 1,
      jsonb_build_object('n', age, 'input_ooi', 'ooi-' || age, 'boefje', jsonb_build_object('id',
        CASE WHEN age % 6000 = 5 THEN 'rare' WHEN age % 100 = 1 THEN 'seldom' ELSE 'usual' END)),
      CASE WHEN age % 3 = 0 THEN 'QUEUED' ELSE 'COMPLETED' END::taskstatus, '2026-06-01'::timestamptz - age * interval '1 second'
    FROM (SELECT n * 7919 % ${tasks}::integer AS age FROM generate_series(1, ${tasks}::integer) AS n) AS ages`;
  await foldCounts(database.sql);
  await database.sql`ANALYZE tasks`;
  return database;
}

const asked = {
  schedulerId: 'boefje',
  taskType: 'boefje',
  offset: 0,
  limit: 150,
  filters: null,
  countPages: 10,
} as const;
const equal = (column: string, field: string | null, value: string) =>
  ({ column, field, operator: '==', value }) as const;
const plugin = (id: string) => ({ filters: { filters: [equal('data', 'boefje__id', id)] } });
const ofOne = { filters: { filters: [equal('organisation', null, 'o1')] } } as const;

test('a bounded list looks at what its page needs and 2 000 rows behind it, however many match or do not', async () => {
  const { url } = await filled();
  const sql = connect(url, { max: 1, serial: true });
  try {
    const lists = createTaskLists(sql);
    const looked = async (request: Partial<TaskListQuery>, needed: number) => {
      await lists.tasks({ ...asked, ...request });
      let count = 0;
      let partial = false;
      const blocks = await blocksDuring(sql, async () => {
        ({ count, partial } = await lists.tasks({ ...asked, ...request }));
      });
      // A row of the list is a block, and so is each row that is shown; the rest is index pages and catalogues of the statement.
      expect(blocks).toBeLessThan(needed + behind + 4 * 150 + 200);
      return { count, partial };
    };
    // Two of three match: of the 2 000 behind 150 some 1 333.
    expect(await looked({ status: 'completed' }, 225)).toEqual({ count: 1_483, partial: true });
    expect(await looked({ status: 'completed', ...ofOne, limit: 20 }, 30)).toEqual({ count: 201, partial: true });
    expect(await looked({ status: 'completed', offset: 1_500 }, 2_475)).toEqual({ count: 2_983, partial: true });
    expect(await looked({ ...plugin('seldom'), limit: 10 }, 1_101)).toEqual({ count: 30, partial: true });
    expect(await looked({ pluginId: 'seldom', limit: 10 }, 1_101)).toEqual({ count: 30, partial: true });
    // Nearly all match: no further than the bound of the request.
    expect(await looked({ ...plugin('usual') }, 155)).toEqual({ count: 1_501, partial: true });
  } finally {
    await sql.end();
  }
});

test('pages of a bounded list lead to each task that matches, however far apart, and its last count is exact', async () => {
  const { sql } = await filled();
  const lists = createTaskLists(sql);
  const walk = async (request: Partial<TaskListQuery>, limit: number) => {
    const ages: number[] = [];
    const counts: (readonly [count: number, partial: boolean])[] = [];
    // As `next` of the REST API leads, and as Rocky counts its pages.
    for (let offset = 0; ; offset += limit) {
      const page = await lists.tasks({ ...asked, ...request, offset, limit });
      ages.push(...(JSON.parse(page.results) as Task[]).map(({ data }) => Number(data['n'])));
      counts.push([page.count, page.partial]);
      if (offset + limit > page.count) return { ages, counts };
      expect(page.count).toBeGreaterThanOrEqual(ages.length);
    }
  };
  // 6 000 rows from one to the next, 2 000 are looked at: there is one more, and that is all that is known.
  expect(await walk(plugin('rare'), 1)).toEqual({
    ages: [5, 6_005, 12_005, 18_005],
    counts: [
      [2, true],
      [3, true],
      [4, true],
      [4, false],
      [4, false],
    ],
  });
  expect(await walk(plugin('none'), 1)).toEqual({ ages: [], counts: [[0, false]] });
  const seldom = Array.from({ length: tasks / 100 }, (_none, n) => 100 * n + 1);
  const { ages, counts } = await walk({ pluginId: 'seldom' }, 30);
  expect(ages).toEqual(seldom);
  expect(counts.at(-1)).toEqual([200, false]);
  // Behind the end the count is exact too, and so is one that is not bounded.
  expect(await lists.tasks({ ...asked, ...plugin('rare'), offset: 150 })).toMatchObject({ count: 4, partial: false });
  expect(await lists.tasks({ ...asked, ...plugin('seldom'), countPages: null })).toMatchObject({ count: 200 });
});

test('a bounded list by what an index has finds the few at once, and counts them exactly', async () => {
  const { url } = await filled();
  const sql = connect(url, { max: 1, serial: true });
  try {
    const lists = createTaskLists(sql);
    const few = async (request: Partial<TaskListQuery>) => {
      await lists.tasks({ ...asked, ...request });
      expect(await blocksDuring(sql, () => lists.tasks({ ...asked, ...request }))).toBeLessThan(200);
      expect(await lists.tasks({ ...asked, ...request })).toMatchObject({ count: 1, partial: false });
    };
    const [found] = await sql<{ id: string }[]>`SELECT id FROM tasks WHERE data ->> 'n' = '19999'`;
    const ooi = equal('data', 'input_ooi', 'ooi-19999');
    await few({ status: 'completed', filters: { filters: [equal('id', null, found!.id)] } });
    await few({ filters: { filters: [equal('organisation', null, 'o9'), ooi] } });
    const byId = equal('id', null, found!.id);
    await few({ filters: { filters: { or: [byId, byId] } } });
    await few({ filters: { filters: [{ column: 'id', operator: 'in', value: [found!.id] }] } });
    // Its oldest: all others are newer, and are not read first.
    const [oldest] = await sql<{ at: string }[]>`SELECT min(created_at)::text AS at FROM tasks`;
    await few({ filters: { filters: [{ column: 'created_at', operator: '<=', value: oldest!.at }] } });
  } finally {
    await sql.end();
  }
});
