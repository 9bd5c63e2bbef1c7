import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/postgres/pool.ts';
import { requireWritable } from '../../src/queue/schema/diagnosis.ts';
import { on, type RotaEvent } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';

let house: House;
let rota: TestRota;
let admin: Client;
let organisation: string;
/** What may not happen for a database that refuses. */
const blamed: RotaEvent[] = [];
let ends: (() => void)[];

beforeAll(async () => {
  house = await openHouse();
  organisation = addOrganisation(house.world, { plugins: [boefje('dns')] }).id;
  // The administrator's own session is exempt from the setting of the database.
  admin = new Client({ connectionString: house.databaseUrl, options: '-c default_transaction_read_only=off' });
  await admin.connect();
  rota = await house.start();
  ends = [on('actor.stopped', (event) => blamed.push(event)), on('event.dead-lettered', (event) => blamed.push(event))];
});
afterAll(async () => {
  for (const end of ends) end();
  await admin.end();
  await house.stop();
});

const database = () => new URL(house.databaseUrl).pathname.slice(1);
const setReadOnly = (on: boolean) =>
  admin.query(`ALTER DATABASE ${database()} SET default_transaction_read_only = ${on ? 'on' : 'off'}`);
/** As a failover does: a client that reconnects finds a server that cannot be written to. */
const endSessions = () =>
  admin.query(`SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`);

const push = () =>
  rota.ask<{ detail?: string }>('POST', '/schedulers/report/push', {
    organisation,
    priority: 1,
    data: { organisation_id: organisation, report_recipe_id: crypto.randomUUID() },
  });
const pop = () =>
  house.client.pop('report', { wait_ms: 0 }).then(
    () => 'popped',
    (error: { code: string }) => error.code,
  );
const ready = () => rota.ask<{ ready: boolean; reasons: readonly string[] }>('GET', '/ready');

interface Status {
  readonly actors: readonly {
    readonly name: string;
    readonly phase: string;
    readonly restarts: number;
    readonly thread: { readonly streams: readonly { readonly in_hand: number; readonly last_error: string | null }[] };
  }[];
}
const boefjeActor = async () =>
  (await house.client.ctl<Status>('status')).actors.find(({ name }) => name === 'boefje')!;

test('a database that becomes read-only is an outage: requests are refused as such, nothing is given up, all goes on afterwards', async () => {
  expect((await push()).status).toBe(201);
  await expect.poll(ready).toMatchObject({ status: 200 });
  await setReadOnly(true);
  await endSessions();
  const hosts = ['a.nl', 'b.nl', 'c.nl'].map((name) => hostname(name));
  for (const host of hosts) await house.mutate(organisation, host);

  await expect.poll(push).toMatchObject({ status: 503, body: { detail: expect.stringMatching(/read-only.*primary/) } });
  await expect.poll(pop).toBe('DATABASE_UNAVAILABLE');
  await expect
    .poll(ready)
    .toMatchObject({ status: 503, body: { reasons: [expect.stringMatching(/^database: .*read-only/)] } });
  expect((await rota.ask<{ healthy: boolean }>('GET', '/health')).body).toMatchObject({ healthy: false });
  // The events are held, for this reason; each is tried again meanwhile.
  await expect.poll(boefjeActor).toMatchObject({
    phase: 'running',
    thread: { streams: [{ in_hand: 3, last_error: expect.stringMatching(/25006/) }] },
  });
  const until = performance.now() + 4_000;
  while (performance.now() < until) expect([(await push()).status, await pop()]).toEqual([503, 'DATABASE_UNAVAILABLE']);

  await expect
    .poll(() => house.client.ctl<{ findings: { about: string; finding: string }[] }>('doctor'))
    .toMatchObject({
      findings: expect.arrayContaining([
        expect.objectContaining({ about: 'database', finding: expect.stringMatching(/read-only/) }),
      ]),
    });

  // No failover ends the sessions that were opened meanwhile: they would stay read-only for as long as they are kept.
  await setReadOnly(false);
  await expect.poll(ready, { timeout: 5_000 }).toMatchObject({ status: 200 });
  await expect.poll(push, { timeout: 5_000 }).toMatchObject({ status: 201 });
  await expect.poll(pop, { timeout: 5_000 }).toBe('popped');
  await expect
    .poll(async () => Number((await house.sql`SELECT count(*) FROM queue WHERE scheduler = 'boefje'`)[0]!['count']), {
      timeout: 10_000,
    })
    .toBe(3);
  expect(blamed).toEqual([]);
});

test('status and doctor answer within seconds while the database does not, and say what they cannot know', async () => {
  await admin.query('BEGIN');
  await admin.query('LOCK TABLE tasks, schedules, queue, leases, rota_migrations');
  const began = performance.now();
  const [status, doctor] = await Promise.all([
    house.client.ctl<Status & { schedulers: unknown[]; unknown: unknown[] }>('status'),
    house.client.ctl<{ findings: { level: string; about: string; advice: string }[] }>('doctor'),
  ]);
  expect(performance.now() - began).toBeLessThan(5_000);
  await admin.query('ROLLBACK');
  expect(status.actors.map(({ phase }) => phase)).toEqual(['running', 'running', 'running']);
  expect(status.unknown).toMatchObject([{ part: 'database' }]);
  expect(status.schedulers).toContainEqual(expect.objectContaining({ id: 'boefje', queued: null, waiters: 0 }));
  expect(doctor.findings).toContainEqual(
    expect.objectContaining({ level: 'problem', about: 'database', advice: expect.stringContaining('unknown') }),
  );
  expect(doctor.findings).toContainEqual(expect.objectContaining({ about: 'actor boefje' }));
});

test('a role whose grants are taken away for a while is an outage too, and the sentence says which privilege', async () => {
  await admin.query(`CREATE ROLE ${database()}_user LOGIN PASSWORD 'of the test'`);
  await admin.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${database()}_user`);
  await rota.drain();
  const url = new URL(house.databaseUrl);
  url.username = `${database()}_user`;
  url.password = 'of the test';
  blamed.length = 0;
  rota = await house.start({ environment: { SCHEDULER_DB_URI: url.href, DATABASE_MIGRATION: 'False' } });
  await expect.poll(ready).toMatchObject({ status: 200 });
  const { rows: tables } = await admin.query<{ relname: string }>(
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
      AND relname NOT IN ('rota_migrations', 'alembic_version')`,
  );
  const sql = connect(url.href, { max: 1 });
  for (const { relname } of tables) {
    await admin.query(`REVOKE SELECT ON ${relname} FROM ${database()}_user`);
    await expect(requireWritable(sql), relname).rejects.toThrow(relname);
    await admin.query(`GRANT SELECT ON ${relname} TO ${database()}_user`);
  }
  await requireWritable(sql);
  await sql.end();
  await admin.query(`REVOKE INSERT ON leases FROM ${database()}_user`);
  await expect
    .poll(ready)
    .toMatchObject({ status: 503, body: { reasons: [expect.stringMatching(/^database: .*privilege.*leases/)] } });
  await expect.poll(pop).toBe('DATABASE_UNAVAILABLE');
  await admin.query(`GRANT INSERT ON leases TO ${database()}_user`);
  await expect.poll(ready).toMatchObject({ status: 200 });
  await expect.poll(pop).toBe('popped');
  expect(blamed).toEqual([]);
  await rota.drain();
  await admin.query(`DROP OWNED BY ${database()}_user`);
  await admin.query(`DROP ROLE ${database()}_user`);
});
