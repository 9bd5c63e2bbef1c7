import { randomUUID } from 'node:crypto';
import type { FilterRequest } from '../../src/queue/filter/filter.ts';
import type { FilterTarget } from '../../src/queue/filter/columns.ts';
import { compileFilter } from '../../src/queue/filter/compile.ts';
import type { Sql } from '../../src/postgres/pool.ts';

/** Four tasks and two schedules whose data has every JSON type, also the wrong one under the same key. */
export const ids = { dns: randomUUID(), nmap: randomUUID(), parse: randomUUID(), report: randomUUID() };
export const daily = randomUUID();
export const unused = randomUUID();

export async function storeFilterRows(sql: Sql): Promise<void> {
  const schedules = [
    {
      id: daily,
      scheduler_id: 'boefje',
      organisation: 'aa',
      hash: 'h-dns',
      enabled: true,
      schedule: '0 0 * * *',
      data: {},
    },
    {
      id: unused,
      scheduler_id: 'report',
      organisation: 'bb',
      hash: 'h-none',
      enabled: false,
      schedule: null,
      data: { a: [1] },
    },
  ];
  const tasks = [
    {
      id: ids.dns,
      scheduler_id: 'boefje',
      schedule_id: daily,
      organisation: 'aa',
      type: 'boefje',
      hash: 'h-dns',
      priority: 5,
      status: 'COMPLETED',
      created_at: '2025-05-01T10:00:00.000001Z',
      data: {
        boefje: { id: 'dns', oci_image: 'img:1' },
        input_ooi: 'Hostname|internet|a.nl',
        level: 3,
        flag: true,
        tags: ['x', 'y'],
        note: null,
        text: 'the quick brown foxes',
      },
    },
    {
      id: ids.nmap,
      scheduler_id: 'boefje',
      schedule_id: null,
      organisation: 'bb',
      type: 'boefje',
      hash: 'h-nmap',
      priority: 7,
      status: 'QUEUED',
      created_at: '2025-05-02T10:00:00Z',
      data: {
        boefje: { id: 'nmap', oci_image: 'img:2' },
        input_ooi: 'IPAddressV4|internet|1.1.1.1',
        level: 10,
        flag: false,
        tags: ['y'],
      },
    },
    {
      id: ids.parse,
      scheduler_id: 'normalizer',
      schedule_id: null,
      organisation: 'aa',
      type: 'normalizer',
      hash: 'h-parse',
      priority: 9,
      status: 'QUEUED',
      created_at: '2025-05-03T10:00:00Z',
      data: {
        normalizer: { id: 'dns' },
        level: 'high',
        flag: 'yes',
        raw_data: { mime_types: [{ value: 'boefje/dns' }] },
      },
    },
    {
      id: ids.report,
      scheduler_id: 'report',
      schedule_id: null,
      organisation: 'a_',
      type: 'report',
      hash: null,
      priority: 1,
      status: 'CANCELLED',
      created_at: '2025-05-04T10:00:00Z',
      data: { report_recipe_id: 'r-1', level: '3' },
    },
  ];
  await sql.unsafe(`INSERT INTO schedules SELECT * FROM json_populate_recordset(NULL::schedules, $1::text::json)`, [
    JSON.stringify(
      schedules.map((row) => ({ inherited: false, created_at: '2025-01-01', modified_at: '2025-01-01', ...row })),
    ),
  ]);
  await sql.unsafe(`INSERT INTO tasks SELECT * FROM json_populate_recordset(NULL::tasks, $1::text::json)`, [
    JSON.stringify(tasks.map((row) => ({ modified_at: '2025-06-01', attempts: 0, unbegun: 0, ...row }))),
  ]);
  await sql.unsafe(`INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation, plugin, image)
    SELECT scheduler_id, priority, created_at, id, hash, organisation,
      coalesce(data #>> '{boefje,id}', data #>> '{normalizer,id}'), data #>> '{boefje,oci_image}'
    FROM tasks WHERE status = 'QUEUED'`);
}

const tables: Record<FilterTarget, string> = { queue: 'queue q', tasks: 'tasks t', schedules: 'schedules s' };

export async function matching(
  sql: Sql,
  target: FilterTarget,
  filters: FilterRequest['filters'],
  taskType = 'boefje',
): Promise<string[]> {
  const { text, values } = compileFilter({ filters }, { target, firstParameter: 1, taskType });
  const rows = await sql.unsafe<{ id: string }[]>(`SELECT id FROM ${tables[target]} WHERE ${text}`, values as never[]);
  return rows.map(({ id }) => id);
}
