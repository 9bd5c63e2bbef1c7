import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Key, keyOf } from '../../src/queue/lists/keyset.ts';
import { createTaskLists, type TaskListQuery, type TaskLists } from '../../src/queue/lists/lists.ts';
import { foldCounts } from '../../src/queue/maintenance/counts.ts';
import type { ListBounds } from '../../src/queue/lists/page.ts';
import { type Sql, statement } from '../../src/postgres/pool.ts';
import { taskStatuses, type TaskStatus, type Task } from '../../src/tasks/task.ts';
import { createStore } from '../support/schema.ts';

let sql: Sql;
let drop: () => Promise<void>;
let lists: TaskLists;

beforeAll(async () => {
  ({ sql, drop } = await createStore());
  lists = createTaskLists(sql);
});
afterAll(() => drop());

const bounds: ListBounds = { offset: 0, limit: 10, filters: null, countPages: null };
const jsonOf = <T>(text: string | null): T => JSON.parse(text!) as T;

describe('task lists', () => {
  beforeEach(
    () => sql`TRUNCATE schedules, tasks, queue, leases, rare_outcomes, task_changes, task_counts, task_totals CASCADE`,
  );

  interface TaskFields {
    readonly scheduler?: string;
    readonly organisation?: string;
    readonly status?: TaskStatus;
    readonly createdAt?: string;
    readonly data?: object;
  }

  /** Stores a task with the other rows that its status requires. */
  async function task(fields: TaskFields = {}): Promise<string> {
    const id = randomUUID();
    const { scheduler = 'boefje', organisation = 'aa', status = 'completed', createdAt = '2025-05-01' } = fields;
    const label = status.toUpperCase();
    const data = JSON.stringify(fields.data ?? { boefje: { id: 'dns' }, input_ooi: 'Hostname|internet|a.nl' });
    await sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at)
      VALUES (${id}, ${scheduler}, ${organisation}, ${scheduler}, ${id.slice(0, 32)}, 1, ${data}::text::jsonb, ${label},
        ${createdAt}::text::timestamptz)`;
    if (status === 'queued') {
      await sql`INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation)
        SELECT scheduler_id, priority, created_at, id, hash, organisation FROM tasks WHERE id = ${id}`;
    }
    if (status === 'dispatched' || status === 'running') {
      await sql`INSERT INTO leases (task_id, lease_id, scheduler, via, until) VALUES (${id}, ${id}, ${scheduler}, 'rest', now())`;
    }
    if (status === 'failed' || status === 'cancelled') {
      await sql`INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
        VALUES (${scheduler}, ${label}, ${createdAt}::text::timestamptz, ${id}, ${organisation})`;
    }
    return id;
  }

  async function listed(request: Partial<TaskListQuery> = {}): Promise<string[]> {
    const page = await lists.tasks({ ...bounds, ...request });
    const found = jsonOf<Task[]>(page.results).map(({ id }) => id);
    expect(page.count).toBe(found.length);
    return found;
  }

  test('are newest first; tasks of one moment keep one order over all pages', async () => {
    const old = await task({ createdAt: '2025-05-01' });
    const twins = [await task({ createdAt: '2025-05-02' }), await task({ createdAt: '2025-05-02' })];
    const young = await task({ createdAt: '2025-05-03' });
    const order = [young, ...twins.toSorted().toReversed(), old];
    expect(await listed()).toEqual(order);
    for (const [offset, id] of order.entries()) {
      const page = await lists.tasks({ ...bounds, offset, limit: 1 });
      expect(page.count).toBe(4);
      expect(jsonOf<Task[]>(page.results)[0]!.id).toBe(id);
    }
  });

  test('show a task as mula does, timestamps in UTC with microseconds', async () => {
    const id = await task({ createdAt: '2025-05-27T11:00:15.129953+02:00' });
    const page = await lists.tasks(bounds);
    expect(jsonOf<Task[]>(page.results)[0]).toMatchObject({
      id,
      scheduler_id: 'boefje',
      schedule_id: null,
      status: 'completed',
      created_at: '2025-05-27T09:00:15.129953Z',
      data: { boefje: { id: 'dns' } },
    });
  });

  test('of large tasks end a page where an answer over NATS is full, and go on from there', async () => {
    const stored: string[] = [];
    for (const day of [3, 2, 1])
      stored.push(await task({ createdAt: `2025-05-0${day}`, data: { note: 'n'.repeat(300_000) } }));
    const pages: string[][] = [];
    for (let after: Key | null = null; ;) {
      const { results, next, count } = await lists.search({ after, limit: 10 });
      expect(count).toBe(3);
      pages.push(jsonOf<Task[]>(results).map(({ id }) => id));
      if (next === null) break;
      after = keyOf(next);
    }
    expect(pages).toEqual([stored.slice(0, 2), stored.slice(2)]);
  });

  test.each(taskStatuses)('by status show %s tasks, whatever else is asked', async (status) => {
    for (const other of taskStatuses) await task({ status: other, organisation: 'bb', scheduler: 'report', data: {} });
    for (const other of taskStatuses) await task({ status: other, organisation: 'bb' });
    const mine = await task({ status, createdAt: '2025-06-01' });
    expect(await listed({ status })).toHaveLength(3);
    expect(await listed({ status, schedulerId: 'boefje', taskType: 'boefje' })).toHaveLength(2);
    const organisation = { filters: [{ column: 'organisation', operator: '==', value: 'aa' }] } as const;
    expect(await listed({ status, filters: organisation })).toEqual([mine]);
    expect(await listed({ status, minCreatedAt: '2025-05-31T00:00:00Z' })).toEqual([mine]);
    expect(await listed({ status, inputOoi: 'A.NL', organisation: 'aa' })).toEqual([mine]);
  });

  test('search a part of the OOI, of boefje and normalizer tasks, wild cards taken literally', async () => {
    const boefje = await task({ createdAt: '2025-05-02' });
    const raw = { raw_data: { boefje_meta: { input_ooi: 'Hostname|internet|A.nl' } } };
    const normalizer = await task({ scheduler: 'normalizer', data: raw });
    await task({ data: { input_ooi: 'Hostname|internet|a_nl' } });
    expect(await listed({ inputOoi: 'a.nl' })).toEqual([boefje, normalizer]);
    expect(await listed({ inputOoi: 'a.nl', taskType: 'normalizer' })).toEqual([normalizer]);
    expect(await listed({ inputOoi: 'a_n' })).toHaveLength(1);
    expect(await listed({ inputOoi: '%' })).toEqual([]);
  });

  test('by plug-in show its tasks, of whatever type', async () => {
    const boefje = await task({ createdAt: '2025-05-02' });
    const normalizer = await task({ scheduler: 'normalizer', data: { normalizer: { id: 'dns' } } });
    expect(await listed({ pluginId: 'dns' })).toEqual([boefje, normalizer]);
    expect(await listed({ pluginId: 'dns', taskType: 'boefje', schedulerId: 'boefje' })).toEqual([boefje]);
  });

  test('of a type that is not the scheduler’s are empty', async () => {
    await task();
    expect(await listed({ schedulerId: 'boefje', taskType: 'normalizer' })).toEqual([]);
  });

  test('filter by the relationship and by data at once', async () => {
    const id = await task();
    await task({ data: { boefje: { id: 'nmap' } } });
    const filters = {
      filters: { and: [{ column: 'data', field: 'boefje__id', operator: 'eq', value: 'dns' }] },
    } as const;
    expect(await listed({ filters })).toEqual([id]);
  });

  test('refuse a filter whose value only Postgres can judge', async () => {
    const filters = { filters: [{ column: 'data', operator: '@?', value: '$[' }] } as const;
    await expect(lists.tasks({ ...bounds, filters })).rejects.toMatchObject({ code: 'INVALID_FILTER' });
  });

  test('lessons 0.9: lists count exactly, or stop at a bound and say so', async () => {
    for (let n = 0; n < 5; n += 1) await task();
    expect(await lists.tasks({ ...bounds, limit: 0 })).toEqual({
      count: 5,
      partial: false,
      results: '[]',
      cutAt: null,
    });
    expect(await lists.tasks({ ...bounds, limit: 1, countPages: 3 })).toMatchObject({ count: 4, partial: true });
    expect(await lists.tasks({ ...bounds, limit: 1, offset: 2, countPages: 3 })).toMatchObject({
      count: 5,
      partial: false,
    });
  });

  test('a page has 8 MB at most, or one row, and says where the next one begins', async () => {
    const large = (megabytes: number) => ({ pad: 'x'.repeat(megabytes * 1_000_000) });
    for (const [day, megabytes] of [3, 3, 3, 9, 3].entries())
      await task({ data: large(megabytes), createdAt: `2025-05-0${day + 1}` });
    // Newest first: 3, then 9 alone, then 3 + 3, then 3.
    const pages: number[] = [];
    for (let offset = 0; offset < 5;) {
      const { results, cutAt } = await lists.tasks({ ...bounds, offset, limit: 5 });
      const rows = (JSON.parse(results) as unknown[]).length;
      if (rows > 1) expect(Buffer.byteLength(results)).toBeLessThan(8 * 1_024 * 1_024 + 10);
      pages.push(rows);
      expect(cutAt).toBe(offset + rows < 5 ? rows : null);
      offset += rows;
    }
    expect(pages).toEqual([1, 1, 2, 1]);
  });

  test('statistics count the last 24 hours by hour and status, of some organisations or all', async () => {
    await task({ status: 'queued' });
    await task({ status: 'completed' });
    await task({ status: 'completed', organisation: 'bb' });
    await task({ status: 'failed', scheduler: 'normalizer' });
    const old = await task();
    await sql`UPDATE tasks SET modified_at = date_trunc('hour', now()) - interval '1 hour' WHERE status = 'QUEUED'`;
    await sql`UPDATE tasks SET modified_at = date_trunc('hour', now()) WHERE status <> 'QUEUED'`;
    await sql`UPDATE tasks SET modified_at = now() - interval '25 hours' WHERE id = ${old}`;
    const stats = jsonOf<Record<string, Record<string, number>>>(await lists.stats({ schedulerId: 'boefje' }));
    const none = { pending: 0, queued: 0, dispatched: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
    expect(Object.values(stats)).toEqual([
      { ...none, completed: 2, total: 2 },
      { ...none, queued: 1, total: 1 },
    ]);
    expect(Object.keys(stats)[0]).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:00:00\+00:00$/);
    const some = jsonOf<Record<string, Record<string, number>>>(await lists.stats({ organisations: ['bb'] }));
    expect(Object.values(some)).toEqual([{ ...none, completed: 1, total: 1 }]);
    expect(await lists.stats({ organisations: ['cc'] })).toBe('{}');
    const before = await lists.stats({});
    await sql.unsafe(statement('maintenance/fold-counts'), [1]);
    expect(await sql`SELECT FROM task_changes`).toHaveLength(0);
    expect(await lists.stats({})).toBe(before);
  });

  test('activity says what is queued and when something last happened', async () => {
    await task({ status: 'queued', createdAt: '2025-05-01T00:00:00.000001Z' });
    await foldCounts(sql);
    expect(await lists.activity(['boefje', 'report'])).toEqual(
      new Map([
        ['boefje', { queued: 1, lastActivity: '2025-05-01T00:00:00.000001Z' }],
        ['report', { queued: 0, lastActivity: null }],
      ]),
    );
  });
});
