import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { migrate, migrationNames, planMigration, requireMigrated } from '../../src/queue/schema/migrations.ts';
import { createDatabase } from '../support/database.ts';

test('the schema is the one that the 22 migrations of before the first release made, and theirs is renumbered', async () => {
  const fresh = await emptyDatabase();
  await migrate(fresh.url);
  const old = await databaseBeforeRelease();
  const since = (await migrationNames()).filter((name) => name >= '0024');
  const task = randomUUID();
  await old.client.query(
    `INSERT INTO tasks (id, scheduler_id, organisation, type, hash, data, status, settled_by)
     VALUES ($1, 'boefje', 'aa', 'boefje', 'h', '{}', 'COMPLETED', gen_random_uuid())`,
    [task],
  );

  await expect(requireMigrated(old.url)).rejects.toMatchObject({
    code: 'SCHEMA_UNKNOWN',
    message: `the database is not migrated (${since[0]} to ${since.at(-1)} left): run rota migrate`,
  });
  const renumbering = '0023_holders would be renumbered as 0004_indexes, which changes no table';
  const plan = await planMigration(old.url);
  expect(plan).toMatchObject({ database: 'rota', pending: since });
  expect(plan.steps[0]).toBe(renumbering);

  const steps: string[] = [];
  await migrate(old.url, { report: (step) => steps.push(step) });
  expect(steps[0]).toBe('renumbered 0023_holders as 0004_indexes');
  expect(await recorded(old.client)).toEqual(await migrationNames());
  expect(await recorded(fresh.client)).toEqual(await migrationNames());
  expect((await planMigration(old.url)).steps).toEqual([]);
  expect((await old.client.query('SELECT id FROM tasks')).rows).toEqual([{ id: task }]);

  for (const [catalog, query] of Object.entries(catalogs)) {
    const before = (await old.client.query(query)).rows;
    expect(before.length, catalog).toBeGreaterThan(0);
    expect((await fresh.client.query(query)).rows, catalog).toEqual(before);
  }
});

test('an older database of before the first release is refused with a sentence', async () => {
  const { url, client } = await databaseBeforeRelease();
  await client.query('DELETE FROM rota_migrations WHERE number > 21');
  const refusal = {
    code: 'SCHEMA_UNKNOWN',
    message:
      'the database was migrated to 0021_frozen_supervisors by a Rota of before its first release; this one takes over ' +
      '0023_holders only: let the last of those migrate it first (CHANGELOG.md, Upgrading)',
  };
  await expect(migrate(url)).rejects.toMatchObject(refusal);
  await expect(planMigration(url)).rejects.toMatchObject(refusal);
});

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

/** As the last build before the first release made it from nothing. */
async function databaseBeforeRelease(): Promise<{ url: string; client: Client }> {
  const database = await emptyDatabase();
  const text = await readFile(new URL('../fixtures/schema-before-release.sql', import.meta.url), 'utf8');
  await database.client.query(text);
  const names = [...text.matchAll(/^-- (\d{4}_\w+)$/gm)].map((match) => match[1]!);
  expect(names).toHaveLength(22);
  await database.client.query(
    `CREATE TABLE rota_migrations (
      number integer PRIMARY KEY, name varchar NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  await database.client.query(
    'INSERT INTO rota_migrations (number, name) SELECT left(name, 4)::integer, name FROM unnest($1::text[]) AS name',
    [names],
  );
  return database;
}

async function recorded(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>('SELECT name FROM rota_migrations ORDER BY number');
  return rows.map(({ name }) => name);
}

const ours = `relnamespace = 'public'::regnamespace`;

/** All that Postgres records about a schema; indexes of a table in order of creation, which may decide between equal plans. */
const catalogs = {
  relations: `SELECT relname, relkind, reloptions, relpersistence, relreplident, relrowsecurity, relhastriggers
    FROM pg_class WHERE ${ours} ORDER BY relname`,
  columns: `SELECT relname, attname, attnum, format_type(atttypid, atttypmod) AS type, attnotnull, attidentity, attgenerated,
      attstorage, attcompression, attcollation::regcollation::text AS collation, attstattarget, attisdropped,
      pg_get_expr(adbin, adrelid) AS value
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE ${ours} AND attnum > 0 ORDER BY relname, attnum`,
  constraints: `SELECT conrelid::regclass::text AS relation, conname, contype, pg_get_constraintdef(oid) AS definition, convalidated
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2`,
  indexes: `SELECT relname, pg_get_indexdef(indexrelid) AS definition, indisunique, indisprimary, indisvalid, indisready, indisclustered,
      indisreplident
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE ${ours} ORDER BY indrelid::regclass::text, indexrelid`,
  functions: `SELECT pg_get_functiondef(oid) AS definition, proacl::text FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace ORDER BY proname`,
  triggers: `SELECT pg_get_triggerdef(t.oid) AS definition, tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE ${ours} AND NOT tgisinternal ORDER BY relname, tgname`,
  views: `SELECT relname, pg_get_viewdef(oid) AS definition FROM pg_class WHERE ${ours} AND relkind = 'v' ORDER BY relname`,
  types: `SELECT typname, typtype, enumlabel FROM pg_type t LEFT JOIN pg_enum ON enumtypid = t.oid
    WHERE typnamespace = 'public'::regnamespace ORDER BY typname, enumsortorder`,
  rules: `SELECT relname, rulename, pg_get_ruledef(r.oid) AS definition FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class
    WHERE ${ours} ORDER BY 1, 2`,
} as const;
