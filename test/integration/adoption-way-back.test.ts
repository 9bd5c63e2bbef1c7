import type { Client } from 'pg';
import { expect, test } from 'vitest';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect } from '../../src/postgres/pool.ts';
import { createTaskQueue } from '../../src/queue/task-queue.ts';
import { readTaskStats } from '../../src/queue/maintenance/counts.ts';
import { giveBackToMula } from '../../src/queue/schema/adoption.ts';
import { taskStatuses } from '../../src/tasks/task.ts';
import { createDatabase } from '../support/database.ts';
import { expectInvariants } from '../support/invariants.ts';
import { mulaDatabase, mulaSchedule, mulaTask } from '../support/mula-database.ts';
import { boefjeTask, parse, popRequest } from '../support/queue.ts';

async function indexes(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ indexdef: string }>(
    "SELECT indexdef FROM pg_indexes WHERE tablename IN ('tasks', 'schedules') ORDER BY 1",
  );
  return rows.map(({ indexdef }) => indexdef);
}

/** Rota adopts, works for a moment, and stops. */
async function work(url: string): Promise<{ queued: string; running: string; completed: string }> {
  await migrate(url);
  const queue = createTaskQueue({ databaseUrl: url, connections: 2 });
  await queue.push('boefje', [
    boefjeTask('completed', { priority: 1 }),
    boefjeTask('running', { priority: 2 }),
    boefjeTask('queued', { priority: 3 }),
  ]);
  const [completed] = await queue.pop('boefje', popRequest());
  const [running] = await queue.pop('boefje', popRequest({ via: 'rest' }));
  await queue.patch([{ id: completed!.id, leaseId: completed!.leaseId, via: 'nats', status: 'completed' }]);
  const [queued] = await queue.pop('boefje', popRequest());
  await queue.patch([{ id: queued!.id, leaseId: queued!.leaseId, via: 'nats', status: 'queued' }]);
  await queue.drain();
  return { queued: parse(queued!).id, running: running!.id, completed: completed!.id };
}

test('mula works on the database as before: its indexes are there, and each of its statements does what it did', async () => {
  const { url, client, mula } = await mulaDatabase();
  const before = await indexes(client);
  const { queued, running, completed } = await work(url);
  await giveBackToMula(url);

  expect(await indexes(client)).toEqual(expect.arrayContaining([...before]));
  const schedule = mulaSchedule();
  await mula.createSchedule(schedule);
  const pushed = mulaTask({ schedule_id: schedule.id, priority: 1 });
  await mula.createTask(pushed);
  expect(await mula.pop('boefje', 5)).toEqual([pushed.id, queued]);
  expect(await mula.pop('boefje', 5)).toEqual([]);
  await mula.setStatus(running, 'completed');
  await mula.setStatus(completed, 'queued');
  expect(await mula.pop('boefje', 5)).toEqual([completed]);
  expect(await mula.latestByHash(pushed.hash)).toBe(pushed.id);
  expect(await mula.dueSchedules()).toEqual([schedule.id]);
  await mula.deleteSchedule(schedule.id);
  const { rows } = await client.query('SELECT schedule_id FROM tasks WHERE id = $1', [pushed.id]);
  expect(rows).toEqual([{ schedule_id: null }]);
  // No supervisor would ever fold it.
  expect((await client.query('SELECT FROM task_changes')).rowCount).toBe(0);
});

test('a later start takes over whatever mula did, from any state to any other', async () => {
  const { url, client, mula } = await mulaDatabase();
  const changes = taskStatuses.flatMap((was) =>
    taskStatuses.map((becomes) => ({ task: mulaTask({ status: was }), becomes })),
  );
  for (const { task } of changes) await mula.createTask(task);
  const enabled = mulaSchedule({ enabled: false });
  await mula.createSchedule(enabled);
  await work(url);
  await giveBackToMula(url);

  for (const { task, becomes } of changes) await mula.setStatus(task.id, becomes);
  await mula.enableSchedule(enabled.id, true);
  await mula.createTask(mulaTask({ created_at: new Date().toISOString() }));
  await migrate(url);

  await expectInvariants(client);
  const sql = connect(url, { max: 1 });
  const stats = JSON.parse(await readTaskStats(sql, {})) as Record<string, { total: number }>;
  await sql.end();
  // mula leaves modified_at alone, so that only what Rota touched is of today.
  expect(Object.values(stats).reduce((sum, { total }) => sum + total, 0)).toBe(3);
  const { rows } = await client.query('SELECT disabled_reason FROM schedules WHERE id = $1', [enabled.id]);
  expect(rows).toEqual([{ disabled_reason: null }]);
  expect(await indexes(client)).not.toContainEqual(expect.stringMatching(/status/));
});

test('what Rota disabled and mula would run is enabled for mula again; what a person disabled stays', async () => {
  const { url, client, mula } = await mulaDatabase();
  const schedules = [mulaSchedule(), mulaSchedule(), mulaSchedule({ enabled: false })];
  for (const schedule of schedules) await mula.createSchedule(schedule);
  await migrate(url);
  const ids = schedules.map(({ id }) => id);
  const reasons = ['run-on-only', 'cron-unreadable', 'person'];
  await client.query(
    `UPDATE schedules s SET enabled = false, disabled_reason = x.reason
     FROM unnest($1::uuid[], $2::text[]) AS x (id, reason) WHERE s.id = x.id`,
    [ids, reasons],
  );
  await giveBackToMula(url);
  const { rows } = await client.query('SELECT enabled FROM schedules ORDER BY array_position($1::uuid[], id)', [ids]);
  expect(rows.map(({ enabled }) => enabled as boolean)).toEqual([true, true, false]);
});

test('Rota is not pushed aside while it works', async () => {
  const { url } = await mulaDatabase();
  await migrate(url);
  const queue = createTaskQueue({ databaseUrl: url, connections: 2 });
  await queue.push('boefje', [boefjeTask()]);
  await expect(giveBackToMula(url)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(/stop it/),
  });
  await queue.drain();
});

test('a database that Rota never had is refused', async () => {
  const database = await createDatabase();
  await expect(giveBackToMula(database.url)).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
  await database.drop();
});
