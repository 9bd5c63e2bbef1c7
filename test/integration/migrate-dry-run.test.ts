import { Client } from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { migrate, migrationNames } from '../../src/queue/schema/migrations.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { mulaDatabase, mulaTask } from '../support/mula-database.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

async function emptyDatabase(): Promise<{ url: string; client: Client }> {
  const database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await database.drop();
  });
  return { url: database.url, client };
}

const rota = (url: string, ...args: string[]) =>
  runCli(args, { env: { SCHEDULER_DB_URI: url, NATS_URL: 'nats://127.0.0.1:1', NODE_ENV: 'production' } });

async function plan(url: string) {
  const { code, stdout } = await rota(url, 'migrate', '--dry-run', '--json');
  return { code, ...(JSON.parse(stdout) as { database: string; pending: string[]; steps: string[] }) };
}

async function relations(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ relname: string }>(
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname",
  );
  return rows.map(({ relname }) => relname);
}

test('a dry run says what a migration would do, exits 1 for it, and changes nothing', async () => {
  const { url, client } = await emptyDatabase();
  expect(await plan(url)).toEqual({ code: 1, database: 'empty', pending: await migrationNames(), steps: [] });
  expect(await relations(client)).toEqual([]);
  await migrate(url);
  expect(await plan(url)).toEqual({ code: 0, database: 'rota', pending: [], steps: [] });
  const { stdout } = await rota(url, 'migrate', '--dry-run');
  expect(stdout).toBe('a database of Rota: it is up to date\n');
});

test("a dry run on mula's database counts what would be adopted, and leaves it to mula", async () => {
  const { url, client, mula } = await mulaDatabase();
  for (const status of ['queued', 'queued', 'running', 'failed']) await mula.createTask(mulaTask({ status }));
  const before = await relations(client);
  const { code, database, steps } = await plan(url);
  expect({ code, database }).toEqual({ code: 1, database: 'mula' });
  expect(steps).toEqual([
    'would be adopted; 4 tasks and 0 schedules stay where they are',
    '2 tasks would be queued, and 1 that are under way get one grace period',
  ]);
  expect(await relations(client)).toEqual(before);
  expect(await mula.pop('boefje', 1)).toHaveLength(1);
});

test('a dry run refuses what a migration would refuse, with the same exit code', async () => {
  const { url, client } = await mulaDatabase();
  await client.query("UPDATE alembic_version SET version_num = '0009'");
  const { code, stderr } = await rota(url, 'migrate', '--dry-run');
  expect(stderr).toContain('alembic revision 0009; Rota adopts revision 0010');
  expect(code).toBe(78);
  expect((await rota('postgres://127.0.0.1:1/none', 'migrate', '--dry-run')).code).toBe(75);
});

test('an interrupted migration is reported by a dry run and by a start, and finished by the next run', async () => {
  const { url, client } = await emptyDatabase();
  await migrate(url);
  // As a process that is killed while it builds the index leaves it.
  await client.query("DELETE FROM rota_migrations WHERE name = '0004_indexes'");
  await client.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'schedules_disabled'::regclass");
  expect(await plan(url)).toEqual({
    code: 1,
    database: 'rota',
    pending: ['0004_indexes'],
    steps: ['an earlier run was interrupted: schedules_disabled would be built again'],
  });
  const started = await runCli(['start'], {
    env: { SCHEDULER_DB_URI: url, NATS_URL: 'nats://127.0.0.1:1', DATABASE_MIGRATION: 'false', NODE_ENV: 'production' },
  });
  expect(started.stderr).toContain('the database is not migrated (0004_indexes left): run rota migrate');
  expect(started.code).toBe(78);
  expect((await rota(url, 'migrate')).code).toBe(0);
  expect(await plan(url)).toMatchObject({ code: 0, pending: [], steps: [] });
  // Of a REINDEX that was interrupted later: no migration mends that.
  await client.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'schedules_disabled'::regclass");
  expect(await plan(url)).toMatchObject({ code: 0, pending: [], steps: [] });
});

test('a migration that cannot be applied is named, with what is in its way; nothing of it stays', async () => {
  const { url, client } = await emptyDatabase();
  await client.query('CREATE TABLE pauses (of_another_program integer)');
  const { code, stderr } = await rota(url, 'migrate');
  expect(stderr).toContain('migration 0002_tables stopped (relation "pauses" already exists)');
  expect(code).toBe(78);
  expect((await plan(url)).pending[0]).toBe('0002_tables');
  await client.query('DROP TABLE pauses');
  expect((await rota(url, 'migrate')).code).toBe(0);
});
