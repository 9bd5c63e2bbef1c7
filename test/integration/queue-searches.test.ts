import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { type Key, type KeysetPage, keyOf, type ListSizes } from '../../src/queue/lists/keyset.ts';
import { searchSchedules, type ScheduleSearch } from '../../src/queue/lists/schedule-search.ts';
import { searchTasks, type TaskSearch } from '../../src/queue/lists/task-search.ts';
import { scheduleStates, taskStatuses } from '../../src/tasks/task.ts';
import { blocksDuring, unattendedDatabase } from '../support/blocks.ts';
import { createStore } from '../support/schema.ts';

/** So small that some dozen rows take several windows, and several requests. */
const small: ListSizes = { counted: 7, few: 5, window: { least: 2, most: 8 }, search: { rows: 12, ms: 1_000 } };

let sql: Sql;
let drop: () => Promise<void>;
beforeAll(async () => {
  ({ sql, drop } = await createStore());
});
afterAll(() => drop());
beforeEach(() => sql`TRUNCATE schedules, tasks, queue, leases, rare_outcomes CASCADE`);

interface TaskRow {
  readonly scheduler: string;
  readonly organisation: string;
  readonly status: (typeof taskStatuses)[number];
  readonly plugin: string;
  readonly ooi: string;
  /** Minutes: many tasks are of one moment. */
  readonly minute: number;
}

const taskRow = fc.record<TaskRow>({
  scheduler: fc.constantFrom('boefje', 'report'),
  organisation: fc.constantFrom('aa', 'bb'),
  status: fc.constantFrom(...taskStatuses),
  plugin: fc.constantFrom('dns', 'nmap'),
  ooi: fc.constantFrom('Hostname|internet|a.nl', 'Hostname|internet|a_nl', 'IPAddressV4|internet|192.0.2.1'),
  minute: fc.integer({ min: 0, max: 9 }),
});

/** Stores tasks with the other rows that their statuses require. @returns their ids */
async function store(rows: readonly TaskRow[], day: string): Promise<string[]> {
  const stored = rows.map((row) => ({ ...row, id: randomUUID(), status: row.status.toUpperCase() }));
  await sql`
    WITH made AS MATERIALIZED (
      SELECT m.*, ${day}::text::timestamptz + m.minute * interval '1 minute' AS at
      FROM json_to_recordset(${JSON.stringify(stored)}::text::json) AS m (id uuid, scheduler text, organisation text,
        status taskstatus, plugin text, ooi text, minute integer)
    ),
    t AS (
      INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at)
      SELECT id, scheduler, organisation, 'boefje', replace(id::text, '-', ''), 1,
        jsonb_build_object('boefje', jsonb_build_object('id', plugin), 'input_ooi', ooi), status, at FROM made
    ),
    q AS (
      INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation, plugin)
      SELECT scheduler, minute % 3 = 0, 1, at, id, replace(id::text, '-', ''), organisation, plugin FROM made WHERE status = 'QUEUED'
    ),
    l AS (
      INSERT INTO leases (task_id, lease_id, scheduler, via, until)
      SELECT id, id, scheduler, 'rest', now() FROM made WHERE status IN ('DISPATCHED', 'RUNNING')
    )
    INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
    SELECT scheduler, status, at, id, organisation FROM made WHERE status IN ('FAILED', 'CANCELLED')`;
  return stored.map(({ id }) => id);
}

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const taskFilter = fc.record({
  schedulerId: optional(fc.constantFrom('boefje', 'report')),
  organisation: optional(fc.constantFrom('aa', 'bb')),
  status: optional(fc.constantFrom(...taskStatuses)),
  pluginId: optional(fc.constantFrom('dns', 'none')),
  ooiPart: optional(fc.constantFrom('A.NL', 'a_nl', '%')),
  ooi: optional(fc.constantFrom('Hostname|internet|a.nl')),
  from: optional(fc.constant('2025-05-01T00:02:00Z')),
  to: optional(fc.constant(['2025-05-01T00:08:00Z', '2025-05-01T00:07:00Z'])),
});

function matches(row: TaskRow, filter: Omit<TaskSearch, 'after' | 'limit'>): boolean {
  const { schedulerId, organisation, status, pluginId, ooiPart, ooi, from, to } = filter;
  return (
    [schedulerId ?? row.scheduler, organisation ?? row.organisation, status ?? row.status].join() ===
      [row.scheduler, row.organisation, row.status].join() &&
    (pluginId ?? row.plugin) === row.plugin &&
    (ooiPart === undefined || row.ooi.toLowerCase().includes(ooiPart.toLowerCase())) &&
    (ooi ?? row.ooi) === row.ooi &&
    (from === undefined || row.minute >= 2) &&
    (to === undefined || row.minute <= 7)
  );
}

const idsOf = ({ results }: KeysetPage) => (JSON.parse(results) as { id: string }[]).map(({ id }) => id);

/** Every page, one after the other; `between` happens after each. */
async function readAll(
  ask: (after: Key | null, limit: number) => Promise<KeysetPage>,
  limits: readonly number[],
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string[]> {
  const found: string[] = [];
  let after: Key | null = null;
  for (let n = 0; ; n += 1) {
    expect(n).toBeLessThan(200);
    const limit = limits[n % limits.length]!;
    const page = await ask(after, limit);
    expect(idsOf(page).length).toBeLessThanOrEqual(limit);
    found.push(...idsOf(page));
    if (page.next === null) return found;
    after = keyOf(page.next);
    await between();
  }
}

const limits = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });

test('pages of tasks are complete and repeat none, whatever is asked, while others are made and change', async () => {
  const later = fc.array(taskRow, { maxLength: 3 });
  await fc.assert(
    fc
      .asyncProperty(
        fc.array(taskRow, { maxLength: 40 }),
        later,
        taskFilter,
        limits,
        async (rows, more, filter, by) => {
          const ids = await store(rows, '2025-05-01');
          const expected = ids.filter((_id, n) => matches(rows[n]!, filter));
          const pages = { plain: sql, search: sql };
          const found = await readAll(
            (after, limit) => searchTasks(pages, { ...filter, after, limit }, small),
            by,
            async () => {
              await store(more, '2025-06-01');
              // A retry moves a task out of a narrow table, and leaves it where it is in the list of all.
              await sql`UPDATE tasks SET modified_at = now() WHERE id = ${ids[0] ?? null}`;
            },
          );
          // What was made meanwhile is newer than the first page, unless that had room.
          const first = found.filter((id) => ids.includes(id));
          expect(first.toSorted()).toEqual(expected.toSorted());
          expect(new Set(found).size).toBe(found.length);
        },
      )
      .beforeEach(async () => void (await sql`TRUNCATE schedules, tasks, queue, leases, rare_outcomes CASCADE`)),
    { numRuns: 150 },
  );
}, 240_000);

test('the order is newest first, then by id, over all pages', async () => {
  await fc.assert(
    fc
      .asyncProperty(fc.array(taskRow, { maxLength: 30 }), taskFilter, limits, async (rows, filter, by) => {
        const ids = await store(rows, '2025-05-01');
        const minutes = new Map(ids.map((id, n) => [id, rows[n]!.minute]));
        const found = await readAll(
          (after, limit) => searchTasks({ plain: sql, search: sql }, { ...filter, after, limit }, small),
          by,
        );
        const order = (id: string) => `${minutes.get(id)}_${id}`;
        expect(found).toEqual(found.toSorted((a, b) => (order(a) < order(b) ? 1 : -1)));
      })
      .beforeEach(async () => void (await sql`TRUNCATE schedules, tasks, queue, leases, rare_outcomes CASCADE`)),
    { numRuns: 60 },
  );
}, 240_000);

interface ScheduleRow {
  readonly scheduler: string;
  readonly organisation: string;
  readonly boefje: string;
  readonly reason: 'person' | 'boefje-gone' | null;
  /** Minutes from now; null without a deadline. */
  readonly minute: number | null;
}

const scheduleRow = fc.record<ScheduleRow>({
  scheduler: fc.constantFrom('boefje', 'report'),
  organisation: fc.constantFrom('aa', 'bb'),
  boefje: fc.constantFrom('dns', 'nmap'),
  reason: fc.constantFrom(null, null, 'person', 'boefje-gone'),
  minute: fc.constantFrom(-20, -10, 10, 20, 20, 90, null),
});

const inState = {
  late: ({ reason, minute }: ScheduleRow) => reason === null && minute !== null && minute < 0,
  due: ({ reason, minute }: ScheduleRow) => reason === null && minute !== null && minute > 0 && minute < 60,
  enabled: ({ reason }: ScheduleRow) => reason === null,
  disabled: ({ reason }: ScheduleRow) => reason !== null,
  'disabled-by-people': ({ reason }: ScheduleRow) => reason === 'person',
  'disabled-by-rota': ({ reason }: ScheduleRow) => reason === 'boefje-gone',
} as const;

test('pages of schedules are complete, by deadline, those without one last, in each state', async () => {
  const filters = fc.record({
    schedulerId: optional(fc.constantFrom('boefje', 'report')),
    organisation: optional(fc.constantFrom('aa', 'bb')),
    boefje: optional(fc.constantFrom('dns', 'none')),
    state: optional(fc.constantFrom(...scheduleStates)),
  });
  await fc.assert(
    fc
      .asyncProperty(fc.array(scheduleRow, { maxLength: 40 }), filters, limits, async (rows, filter, by) => {
        const stored = rows.map((row) => ({ ...row, id: randomUUID() }));
        await sql`
          INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, disabled_reason, deadline_at)
          SELECT id, scheduler, organisation, md5(id::text), jsonb_build_object('boefje', jsonb_build_object('id', boefje)),
            reason IS NULL, reason, date_trunc('minute', now()) + minute * interval '1 minute'
          FROM json_to_recordset(${JSON.stringify(stored)}::text::json) AS m (id uuid, scheduler text, organisation text,
            boefje text, reason text, minute integer)`;
        const { schedulerId, organisation, boefje, state } = filter;
        const expected = stored
          .filter(
            (row) =>
              [schedulerId ?? row.scheduler, organisation ?? row.organisation].join() ===
              [row.scheduler, row.organisation].join(),
          )
          .filter((row) => (boefje ?? row.boefje) === row.boefje && (state === undefined || inState[state](row)))
          .toSorted((a, b) => (a.minute ?? 999) - (b.minute ?? 999) || (a.id < b.id ? -1 : 1))
          .map(({ id }) => id);
        const ask = (after: Key | null, limit: number) =>
          searchSchedules({ plain: sql, search: sql }, { ...filter, after, limit }, small);
        expect(await readAll(ask, by)).toEqual(expected);
      })
      .beforeEach(async () => void (await sql`TRUNCATE schedules CASCADE`)),
    { numRuns: 150 },
  );
}, 240_000);

test('counts are exact up to a bound, say so beyond it, and a search counts what it has looked at', async () => {
  const row: TaskRow = {
    scheduler: 'boefje',
    organisation: 'aa',
    status: 'completed',
    plugin: 'dns',
    ooi: 'a',
    minute: 1,
  };
  await store(
    Array.from({ length: 7 }, () => row),
    '2025-05-01',
  );
  const ask = (filter: Partial<TaskSearch>) =>
    searchTasks({ plain: sql, search: sql }, { after: null, limit: 0, ...filter }, small);
  expect(await ask({ schedulerId: 'boefje' })).toMatchObject({
    count: 7,
    countIsLeast: false,
    next: null,
    lookedAt: null,
  });
  await store([row], '2025-05-01');
  expect(await ask({ schedulerId: 'boefje' })).toMatchObject({ count: 7, countIsLeast: true, lookedAt: null });
  expect(await ask({ pluginId: 'dns' })).toMatchObject({ count: 8, countIsLeast: false, next: null, lookedAt: 8 });
  await store(
    Array.from({ length: 20 }, () => row),
    '2025-05-01',
  );
  const [found, none] = [await ask({ pluginId: 'dns' }), await ask({ pluginId: 'none', limit: 2 })];
  expect(found).toMatchObject({ countIsLeast: true, next: expect.any(String) });
  expect(found.lookedAt).toBeLessThan(21);
  // It found nothing, and says how far it has looked.
  expect(none).toMatchObject({
    count: 0,
    countIsLeast: true,
    results: '[]',
    next: expect.stringMatching(/^2025-05-01T00:01:00/),
  });
});

test(
  'a list reads no more where there are five times as many tasks and schedules, whatever matches',
  { timeout: 240_000 },
  async () => {
    const { sql: many, url } = await unattendedDatabase();
    const fill = async (from: number, to: number) => {
      await many`
      WITH made AS MATERIALIZED (
        SELECT n, gen_random_uuid() AS id, '2025-05-01'::timestamptz - n * interval '1 second' AS at,
          (ARRAY['QUEUED', 'COMPLETED', 'FAILED', 'COMPLETED'])[1 + n % 4]::taskstatus AS status, 'o' || n % 3 AS organisation
        FROM generate_series(${from}::integer, ${to}::integer) AS n
      ),
      t AS (
        INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at)
        SELECT id, 'boefje', organisation, 'boefje', md5(n::text), 2, '{"input_ooi": "x", "boefje": {"id": "dns"}}', status, at FROM made
      ),
      r AS (
        INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
        SELECT 'boefje', status, at, id, organisation FROM made WHERE status = 'FAILED'
      ),
      s AS (
        INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, disabled_reason, deadline_at)
        SELECT gen_random_uuid(), 'boefje', organisation, md5(n::text), '{"input_ooi": "x", "boefje": {"id": "dns"}}', n % 3 > 0,
          CASE WHEN n % 3 = 0 THEN 'boefje-gone' END, CASE WHEN n % 2 = 0 THEN now() ELSE now() + n * interval '1 second' END FROM made
      )
      INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation, plugin)
      SELECT 'boefje', n % 8 = 0, n, at, id, md5(n::text), organisation, 'dns' FROM made WHERE status = 'QUEUED'`;
    };
    const one = connect(url, { max: 1 });
    onTestFinished(() => one.end());
    const pages = { plain: one, search: one };
    const sizes: ListSizes = {
      counted: 500,
      few: 500,
      window: { least: 100, most: 1_000 },
      search: { rows: 3_000, ms: 60_000 },
    };
    const tasks: Partial<TaskSearch>[] = [
      {},
      { schedulerId: 'boefje' },
      { organisation: 'o1' },
      { organisation: 'o1', pluginId: 'none' },
      { pluginId: 'none' },
      { ooiPart: 'none' },
      { ooi: 'none', organisation: 'o1', schedulerId: 'boefje' },
      ...taskStatuses.flatMap((status) => [
        { status },
        { status, organisation: 'o1', pluginId: 'none' },
        { status, pluginId: 'none' },
      ]),
    ];
    const schedules: Partial<ScheduleSearch>[] = [
      {},
      { boefje: 'none' },
      { organisation: 'o1', boefje: 'none' },
      { ooi: 'none' },
      ...scheduleStates.flatMap((state) => [{ state }, { state, boefje: 'none' }]),
    ];
    const bounds = { after: null, limit: 20 };
    const read = async () => {
      const blocks: [unknown, number][] = [];
      for (const filter of tasks)
        blocks.push([filter, await blocksDuring(one, () => searchTasks(pages, { ...bounds, ...filter }, sizes))]);
      for (const filter of schedules)
        blocks.push([filter, await blocksDuring(one, () => searchSchedules(pages, { ...bounds, ...filter }, sizes))]);
      return blocks;
    };
    await fill(1, 20_000);
    const before = await read();
    for (let from = 20_001; from < 100_000; from += 20_000) await fill(from, from + 19_999);
    const compared = (await read()).map(([filter, blocks], n) => [filter, before[n]![1], blocks] as const);
    // A level more of an index is a block more for each row.
    expect(compared.filter(([, few, blocks]) => blocks > few * 1.4 + 100)).toEqual([]);
  },
);
