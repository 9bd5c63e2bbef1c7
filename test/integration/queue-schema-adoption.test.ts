import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { createTaskQueue } from '../../src/queue/task-queue.ts';
import { giveBackToMula } from '../../src/queue/schema/adoption.ts';
import { createDatabase } from '../support/database.ts';
import { boefjeTask, ooiOf, popRequest } from '../support/queue.ts';

/** A database as mula leaves it at alembic revision 0010. */
async function mulaDatabase(): Promise<{ url: string; client: Client }> {
  const database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(await readFile(new URL('../../sql/migrations/0001_mula.sql', import.meta.url), 'utf8'));
  onTestFinished(async () => {
    await client.end();
    await database.drop();
  });
  return { url: database.url, client };
}

interface MulaTask {
  readonly ooi?: string;
  readonly status: string;
  readonly hash?: string | null;
  readonly priority?: number | null;
  readonly created?: string;
  readonly group?: string;
}

async function insertTask(client: Client, task: MulaTask): Promise<string> {
  const id = randomUUID();
  const ooi = task.ooi ?? randomUUID();
  const { group } = task;
  await client.query(
    `INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
     VALUES ($1, 'boefje', 'aa', 'boefje', $2, $3, $4, $5, $6, now())`,
    [
      id,
      task.hash === undefined ? ooi.replaceAll('-', '').slice(0, 32) : task.hash,
      task.priority === undefined ? 5 : task.priority,
      { ...boefjeTask(ooi, group === undefined ? {} : { group }).data, id },
      task.status,
      task.created ?? '2026-01-01T00:00:00Z',
    ],
  );
  return id;
}

const one = async (client: Client, sql: string): Promise<Record<string, unknown>> => (await client.query(sql)).rows[0];

describe('adoption of a database of mula', () => {
  test('every task keeps its state: queued ones are popped in order, those under way get a grace period', async () => {
    const { url, client } = await mulaDatabase();
    await insertTask(client, { ooi: 'second', status: 'QUEUED', priority: 7 });
    await insertTask(client, { ooi: 'first', status: 'QUEUED', priority: 1 });
    await insertTask(client, { ooi: 'without a hash', status: 'QUEUED', priority: 8, hash: null });
    await insertTask(client, { ooi: 'without a priority', status: 'QUEUED', priority: null });
    await insertTask(client, { ooi: 'g1', status: 'QUEUED', priority: 9, group: 'g' });
    await insertTask(client, { ooi: 'g2', status: 'QUEUED', priority: 99, group: 'g' });
    for (const status of ['PENDING', 'DISPATCHED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED']) {
      await insertTask(client, { status });
    }
    await migrate(url, { gracePeriodSeconds: 3_600 });

    const leases = await client.query(
      "SELECT status, via, until > now() + interval '50 minutes' AS long FROM leases JOIN tasks ON id = task_id ORDER BY 1",
    );
    expect(leases.rows).toEqual([
      { status: 'DISPATCHED', via: 'rest', long: true },
      { status: 'RUNNING', via: 'rest', long: true },
    ]);
    expect((await client.query('SELECT status FROM rare_outcomes ORDER BY 1')).rows).toEqual([
      { status: 'FAILED' },
      { status: 'CANCELLED' },
    ]);
    const queue = createTaskQueue({ databaseUrl: url, connections: 2 });
    const popped = await queue.pop('boefje', popRequest({ limit: 9 }));
    await queue.drain();
    expect(popped.map((task) => [task.unit, ooiOf(task)])).toEqual([
      [1, 'first'],
      [2, 'second'],
      [3, 'without a hash'],
      [4, 'g1'],
      [4, 'g2'],
      [5, 'without a priority'],
    ]);
    expect(await one(client, 'SELECT count(*)::int AS n FROM tasks')).toEqual({ n: 12 });
  });

  test('of duplicates that races left queued the oldest stays, the others are cancelled with a reason', async () => {
    const { url, client } = await mulaDatabase();
    const hash = 'a'.repeat(32);
    await insertTask(client, { status: 'QUEUED', hash, created: '2026-01-03T00:00:00Z' });
    const oldest = await insertTask(client, { status: 'QUEUED', hash, created: '2026-01-01T00:00:00Z' });
    await insertTask(client, { status: 'QUEUED', hash, created: '2026-01-02T00:00:00Z' });
    await migrate(url);
    expect((await client.query('SELECT id FROM queue')).rows).toEqual([{ id: oldest }]);
    expect(
      await one(client, "SELECT count(*)::int AS n FROM tasks WHERE status = 'CANCELLED' AND reason = 'superseded'"),
    ).toEqual({ n: 2 });
    expect(await one(client, 'SELECT count(*)::int AS n FROM rare_outcomes')).toEqual({ n: 2 });
  });

  test('floods nothing: boefjes with enabled schedules count as seen, and disabled schedules say why', async () => {
    const { url, client } = await mulaDatabase();
    const schedule = (scheduler: string, boefje: string, enabled: boolean, cron: string | null) =>
      client.query(
        `INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, schedule)
         VALUES (gen_random_uuid(), $1, 'aa', md5(random()::text), $2, $3, $4)`,
        [scheduler, boefjeTask('ooi', { boefje }).data, enabled, cron],
      );
    await schedule('boefje', 'nmap', true, null);
    await schedule('boefje', 'dns-records', true, '0 0 * * *');
    await schedule('boefje', 'shodan', false, null);
    await schedule('report', 'none', false, '0 0 L * *');
    await migrate(url);
    expect(await one(client, 'SELECT organisation, boefjes FROM seen_boefjes')).toEqual({
      organisation: 'aa',
      boefjes: ['dns-records', 'nmap'],
    });
    expect(
      (await client.query('SELECT scheduler_id, disabled_reason FROM schedules WHERE NOT enabled ORDER BY 1')).rows,
    ).toEqual([
      { scheduler_id: 'boefje', disabled_reason: 'unknown' },
      { scheduler_id: 'report', disabled_reason: 'person' },
    ]);
  });

  test('no index of tasks names what changes with the status', async () => {
    const { url, client } = await mulaDatabase();
    await migrate(url);
    const { rows } = await client.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'tasks'");
    for (const { indexdef } of rows) expect(indexdef).not.toMatch(/status|priority|modified_at/);
  });

  test('another alembic revision is refused with a sentence, and nothing is changed', async () => {
    const { url, client } = await mulaDatabase();
    await client.query("UPDATE alembic_version SET version_num = '0009'");
    await expect(migrate(url)).rejects.toMatchObject({
      code: 'SCHEMA_UNKNOWN',
      message: expect.stringContaining('0009'),
    });
    expect(await one(client, "SELECT to_regclass('queue') AS queue")).toEqual({ queue: null });
  });

  test('several processes that start at once migrate once, and a newer schema is refused', async () => {
    const { url, client } = await mulaDatabase();
    await insertTask(client, { status: 'QUEUED' });
    const steps: string[] = [];
    const report = (step: string) => steps.push(step);
    await Promise.all([migrate(url, { report }), migrate(url, { report }), migrate(url, { report })]);
    expect(steps.length).toBe(new Set(steps).size);
    expect(await one(client, 'SELECT count(*)::int AS n FROM queue')).toEqual({ n: 1 });
    await client.query("INSERT INTO rota_migrations (number, name) VALUES (9999, 'of tomorrow')");
    await expect(migrate(url)).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
  });
});

describe('reconciliation at a later start', () => {
  test('what mula queued, popped and finished on a way back is taken over', async () => {
    const { url, client } = await mulaDatabase();
    const popped = await insertTask(client, { ooi: 'popped by mula', status: 'QUEUED' });
    const cancelled = await insertTask(client, { status: 'QUEUED' });
    const leased = await insertTask(client, { status: 'RUNNING' });
    const retried = await insertTask(client, { ooi: 'retried by mula', status: 'FAILED' });
    await migrate(url);

    await giveBackToMula(url);
    await client.query("UPDATE tasks SET status = 'DISPATCHED' WHERE id = $1", [popped]);
    await client.query("UPDATE tasks SET status = 'CANCELLED' WHERE id = $1", [cancelled]);
    await client.query("UPDATE tasks SET status = 'FAILED' WHERE id = $1", [leased]);
    await client.query("UPDATE tasks SET status = 'QUEUED' WHERE id = $1", [retried]);
    await insertTask(client, { ooi: 'pushed by mula', status: 'QUEUED', created: new Date().toISOString() });
    await migrate(url);

    const queued = await client.query("SELECT data->>'input_ooi' AS ooi FROM queue JOIN tasks USING (id) ORDER BY 1");
    expect(queued.rows.map((row) => row.ooi)).toEqual(['pushed by mula', 'retried by mula']);
    expect((await client.query('SELECT task_id FROM leases')).rows).toEqual([{ task_id: popped }]);
    expect(await one(client, 'SELECT count(*)::int AS n FROM rare_outcomes')).toEqual({ n: 2 });
    expect(await one(client, "SELECT to_regclass('ix_tasks_status_queued') AS index")).toEqual({ index: null });
  });

  test('new tasks are found even where the way back left no index', async () => {
    const { url, client } = await mulaDatabase();
    await migrate(url);
    await insertTask(client, { status: 'QUEUED', created: new Date().toISOString() });
    await migrate(url);
    expect(await one(client, 'SELECT count(*)::int AS n FROM queue')).toEqual({ n: 1 });
  });
});

test('tasks are counted by hour and status, whether Rota or mula changes them', async () => {
  const { url, client } = await mulaDatabase();
  await insertTask(client, { status: 'COMPLETED' });
  await migrate(url);
  const queue = createTaskQueue({ databaseUrl: url, connections: 2 });
  await queue.push('boefje', [boefjeTask('a', { priority: 1 }), boefjeTask('b', { priority: 1 })]);
  const [task] = await queue.pop('boefje', popRequest());
  await queue.patch([{ id: task!.id, leaseId: task!.leaseId, via: 'nats', status: 'failed' }]);
  await client.query("DELETE FROM tasks WHERE status = 'COMPLETED'");
  await queue.foldCounts();
  await queue.drain();
  const { rows } = await client.query(
    'SELECT status, sum(count)::int AS n FROM task_counts GROUP BY 1 HAVING sum(count) <> 0 ORDER BY 1',
  );
  expect(rows).toEqual([
    { status: 'QUEUED', n: 1 },
    { status: 'FAILED', n: 1 },
  ]);
});
