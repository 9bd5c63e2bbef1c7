import { expect, onTestFinished, test } from 'vitest';
import { createTaskLists } from '../../src/queue/lists/lists.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect } from '../../src/postgres/pool.ts';
import { createSchedules } from '../../src/queue/schedules/schedule-crud.ts';
import { createTaskQueue } from '../../src/queue/task-queue.ts';
import { taskStatuses } from '../../src/tasks/task.ts';
import { serve } from '../rest/double.ts';
import { expectInvariants } from '../support/invariants.ts';
import {
  boefjeData,
  type MulaSchedule,
  type MulaTask,
  mulaDatabase,
  mulaSchedule,
  mulaTask,
} from '../support/mula-database.ts';

const moment = (n: number) => `2026-01-01T09:${String(n).padStart(2, '0')}:00.123456Z`;

const schedules: readonly MulaSchedule[] = [
  mulaSchedule({ schedule: '0 4 * * *' }),
  mulaSchedule({ schedule: null, created_at: moment(1) }),
  mulaSchedule({ enabled: false, created_at: moment(2) }),
  mulaSchedule({ deadline_at: null, created_at: moment(3) }),
  mulaSchedule({
    scheduler_id: 'report',
    schedule: '0 0 L * *',
    data: { organisation_id: 'aa', report_recipe_id: '5e1f6d5c-2d63-4b8c-8d0e-6a5b7a6d1f10' },
    created_at: moment(4),
  }),
];

const normalizerData = (id: string) => ({
  id,
  normalizer: { id: 'kat_dns_normalize', name: 'DNS records', version: null },
  raw_data: {
    id: 'f3a1b0d2-3c4d-4e5f-8a9b-0c1d2e3f4a5b',
    boefje_meta: {
      id: '0e191e18-bc77-405f-8887-80f510304021',
      boefje: { id: 'dns-records', name: null, version: null, oci_image: null },
      input_ooi: 'Hostname|internet|mispo.es',
      arguments: { input: { name: 'mispo.es' }, oci_arguments: ['kat_dns.main'] },
      organization: 'aa',
      started_at: '2026-01-01T09:00:15.500000Z',
      ended_at: '2026-01-01T09:00:16.300000Z',
    },
    mime_types: [{ value: 'boefje/dns-records' }],
    secure_hash: null,
    hash_retrieval_link: null,
  },
});

/** One of each type in each state, with a schedule and without. */
const inEveryState = taskStatuses.flatMap((status, n) => {
  const normalizer = mulaTask({ scheduler_id: 'normalizer', type: 'normalizer', status, created_at: moment(10 + n) });
  const data = { organisation_id: 'aa', report_recipe_id: normalizer.id };
  return [
    mulaTask({ status, schedule_id: schedules[n % 4]!.id, created_at: moment(20 + n) }),
    { ...normalizer, data: normalizerData(normalizer.id) },
    mulaTask({ scheduler_id: 'report', type: 'report', status, data, priority: n + 1, created_at: moment(30 + n) }),
  ];
});
const group = (organisation: string, n: number) => {
  const task = mulaTask({ organisation, priority: 1, created_at: moment(40 + n) });
  return { ...task, data: boefjeData({ id: task.id, organization: organisation, deduplication_key: 'one-for-all' }) };
};
const groups = [group('aa', 0), group('bb', 1), group('cc', 2)];
/** What a race of two pushes leaves: one hash queued twice and thrice. */
const duplicates = [0, 1, 2].map((n) =>
  mulaTask({ hash: 'd'.repeat(32), created_at: moment(50 + n), priority: 9 - n }),
);

const onTheWire = (task: MulaTask) => ({ ...task, status: task.status.toLowerCase() });

async function serveAdopted(): Promise<{
  ask: (method: string, path: string, body?: unknown) => Promise<unknown>;
  client: Awaited<ReturnType<typeof mulaDatabase>>['client'];
}> {
  const { url, client, mula } = await mulaDatabase();
  for (const schedule of schedules) await mula.createSchedule(schedule);
  for (const task of [...inEveryState, ...groups, ...duplicates]) await mula.createTask(task);
  await migrate(url);
  const sql = connect(url, { max: 4 });
  const queue = createTaskQueue({ databaseUrl: url, connections: 4 });
  const rest = await serve({ queue, lists: createTaskLists(sql), schedules: createSchedules(sql) });
  await queue.foldCounts();
  onTestFinished(async () => {
    await rest.server.close();
    await queue.drain();
    await sql.end();
  });
  return {
    client,
    async ask(method, path, body) {
      const response = await fetch(rest.url + path, {
        method,
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      return response.json();
    },
  };
}

test('every task and schedule answers over REST as mula answered it, but for duplicates', async () => {
  const { ask, client } = await serveAdopted();
  for (const task of [...inEveryState, ...groups, duplicates[0]!]) {
    expect(await ask('GET', `/tasks/${task.id}`)).toEqual(onTheWire(task));
  }
  for (const task of duplicates.slice(1)) {
    expect(await ask('GET', `/tasks/${task.id}`)).toEqual({
      ...onTheWire(task),
      status: 'cancelled',
      modified_at: expect.stringMatching(/Z$/),
    });
  }
  for (const schedule of schedules) expect(await ask('GET', `/schedules/${schedule.id}`)).toEqual(schedule);
  await expectInvariants(client);
});

test('lists find every row by state, filter and schedule, newest first', async () => {
  const { ask } = await serveAdopted();
  const newestFirst = (rows: readonly { created_at: string; id: string }[]) =>
    rows.toSorted((a, b) => b.created_at.localeCompare(a.created_at)).map(({ id }) => id);
  const idsOf = (page: unknown) => (page as { results: { id: string }[] }).results.map(({ id }) => id);
  const all = [...inEveryState, ...groups, ...duplicates];
  expect(idsOf(await ask('GET', '/tasks?limit=100'))).toEqual(newestFirst(all));
  for (const status of taskStatuses) {
    const expected = [
      ...[...inEveryState, ...groups].filter((task) => task.status === status),
      ...(status === 'queued' ? duplicates.slice(0, 1) : status === 'cancelled' ? duplicates.slice(1) : []),
    ];
    expect(idsOf(await ask('GET', `/tasks?limit=100&status=${status}`)), status).toEqual(newestFirst(expected));
  }
  const withCron = [{ column: 'schedule', field: 'schedule', operator: 'eq', value: '0 4 * * *' }];
  expect(idsOf(await ask('POST', '/tasks', { filters: withCron }))).toEqual(
    newestFirst(inEveryState.filter(({ schedule_id }) => schedule_id === schedules[0]!.id)),
  );
  expect(idsOf(await ask('POST', '/schedules/search', { filters: [] }))).toEqual(newestFirst(schedules));
});

test('pops hand out what mula would have handed out next: by priority, a deduplicated group whole', async () => {
  const { ask } = await serveAdopted();
  const pop = async (scheduler: string) => {
    const { results } = (await ask('POST', `/schedulers/${scheduler}/pop?limit=1`)) as { results: { id: string }[] };
    return results.map(({ id }) => id);
  };
  const queuedOf = (scheduler: string) =>
    inEveryState.filter((task) => task.scheduler_id === scheduler && task.status === 'queued').map(({ id }) => id);
  expect((await pop('boefje')).toSorted()).toEqual(groups.map(({ id }) => id).toSorted());
  expect(await pop('boefje')).toEqual([duplicates[0]!.id]);
  expect(await pop('boefje')).toEqual(queuedOf('boefje'));
  expect(await pop('boefje')).toEqual([]);
  expect(await pop('normalizer')).toEqual(queuedOf('normalizer'));
  expect(await pop('report')).toEqual(queuedOf('report'));
});
