import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { createTaskLists } from '../../src/queue/lists/lists.ts';
import { migrate, planMigration } from '../../src/queue/schema/migrations.ts';
import { connect, query } from '../../src/postgres/pool.ts';
import { createSchedules } from '../../src/queue/schedules/schedule-crud.ts';
import { createScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import { createTaskQueue } from '../../src/queue/task-queue.ts';
import { oldestMajor, postgresOf } from '../support/postgres-majors.ts';
import { boefjeTask, ooiOf, popRequest } from '../support/queue.ts';

/** All of the tests run on it with `make itest PG=14`; this is what continuous integration looks at each time. */
test('the oldest Postgres that is supported migrates, pushes, pops, settles, sweeps, schedules and lists', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rota-oldest-'));
  const postgres = await startPostgres({ directory, binaries: await postgresOf(oldestMajor) });
  onTestFinished(async () => {
    await postgres.stop();
    await rm(directory, { recursive: true });
  });
  await migrate(postgres.url);
  expect(await planMigration(postgres.url)).toMatchObject({ database: 'rota', pending: [] });
  const sql = connect(postgres.url, { max: 2 });
  const queue = createTaskQueue({ databaseUrl: postgres.url, connections: 4, maxAttempts: 2 });
  onTestFinished(async () => {
    await queue.drain();
    await sql.end();
  });
  expect(await query(sql, "SELECT current_setting('server_version_num')::int / 10000 AS major", [])).toEqual([
    { major: Number(oldestMajor) },
  ]);

  const outcomes = await queue.push('boefje', [boefjeTask('one'), boefjeTask('two'), boefjeTask('one')]);
  expect(outcomes).toMatchObject([{ outcome: 'queued' }, { outcome: 'queued' }, { reason: 'already-queued' }]);
  const [task] = await queue.pop('boefje', popRequest());
  expect(ooiOf(task!)).toBe('one');
  const held = { id: task!.id, leaseId: task!.leaseId, via: 'nats' } as const;
  expect(await queue.heartbeat([held], 60_000)).toMatchObject({ renewed: [held.id] });
  expect(await queue.patch([{ ...held, status: 'completed' }])).toMatchObject([{ ok: true }]);
  await queue.pop('boefje', popRequest({ leaseMs: 1 }));
  await expect.poll(() => queue.sweep()).toBe(1);
  await queue.foldCounts();

  const lists = createTaskLists(sql);
  const filters = { filters: { and: [{ column: 'data', field: 'input_ooi', operator: 'like', value: 'tw%' }] } };
  const page = { offset: 0, limit: 10, countPages: null };
  expect(await lists.tasks({ ...page, filters: null })).toMatchObject({ count: 2 });
  expect(await lists.tasks({ ...page, filters } as never)).toMatchObject({ count: 1 });
  expect(JSON.parse(await lists.stats({}))).not.toEqual({});
  expect((await lists.activity(['boefje'])).get('boefje')).toMatchObject({ queued: 1 });
  const schedules = await createSchedules(sql).list({ ...page, filters: null });
  expect(schedules).toMatchObject({ count: 2 });
  await query(sql, "UPDATE schedules SET deadline_at = now() - interval '1 minute'", []);
  const store = createScheduleStore(sql);
  expect(await store.scheduleLag('boefje')).toBeGreaterThan(30);
  expect(await store.claimDueSchedules('boefje', { limit: 10 })).toHaveLength(2);
});
