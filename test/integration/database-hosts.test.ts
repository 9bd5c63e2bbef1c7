import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';
import { freePort } from '../../src/embedded/process.ts';
import { connect, query } from '../../src/postgres/pool.ts';
import { inSession } from '../../src/postgres/session.ts';
import { runCli } from '../support/cli.ts';

/** A primary, and a copy of it that is a standby: it follows no server, and can be promoted. */
let directory: string;
let primary: EmbeddedPostgres;
let standby: EmbeddedPostgres;
let nowhere: string;

const folder = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-hosts-'));
  await (await startPostgres({ directory: folder('a') })).stop();
  await cp(folder('a'), folder('b'), { recursive: true });
  await writeFile(join(folder('b'), 'postgres', 'standby.signal'), '');
  [primary, standby] = (await Promise.all(['a', 'b'].map((name) => startPostgres({ directory: folder(name) })))) as [
    EmbeddedPostgres,
    EmbeddedPostgres,
  ];
  nowhere = `127.0.0.1:${await freePort()}`;
});
afterAll(async () => {
  await Promise.all([primary.stop(), standby.stop()]);
  await rm(directory, { recursive: true, force: true });
});

const hostOf = ({ url }: EmbeddedPostgres) => new URL(url).host;
/** A copy of the folder has the password, too. */
const passwordOf = ({ url }: EmbeddedPostgres) => new URL(url).password;
const urlOf = (hosts: readonly string[], parameters = '', password = passwordOf(primary)) =>
  `postgresql://rota:${password}@${hosts.join(',')}/rota${parameters}`;
const ask = 'SELECT inet_server_port() AS port';

/** The server that each driver comes to, as a port. */
async function ports(url: string): Promise<readonly string[]> {
  const sql = connect(url, { max: 1 });
  onTestFinished(() => sql.end({ timeout: 1 }));
  const [pooled] = await query<{ port: number }>(sql, ask, []);
  const alone = await inSession(url, async (client) => (await client.query<{ port: number }>(ask)).rows[0]!);
  return [`127.0.0.1:${pooled!.port}`, `127.0.0.1:${alone.port}`];
}

test('of several hosts it is the primary, in whatever order, unless the URL says otherwise', async () => {
  const [a, b] = [hostOf(primary), hostOf(standby)];
  expect(await ports(urlOf([b, a]))).toEqual([a, a]);
  expect(await ports(urlOf([nowhere, b, a], '?target_session_attrs=read-write'))).toEqual([a, a]);
  expect(await ports(urlOf([nowhere, b, a], '?target_session_attrs=any'))).toEqual([b, b]);
  expect(await ports(urlOf([a, b], '?target_session_attrs=standby'))).toEqual([b, b]);
  expect(await ports(urlOf([a, b], '?target_session_attrs=read-only'))).toEqual([b, b]);
  expect(await ports(urlOf([a, nowhere], '?target_session_attrs=prefer-standby'))).toEqual([a, a]);
  const [portOfA, portOfB] = [a, b].map((host) => host.split(':')[1]);
  expect(
    await ports(
      `postgresql:///rota?user=rota&password=${passwordOf(primary)}&host=127.0.0.1,127.0.0.1&port=${portOfB},${portOfA}`,
    ),
  ).toEqual([a, a]);
});

test('where none is a primary a start says so of each, exit 75', async () => {
  const env = { SCHEDULER_DB_URI: urlOf([nowhere, hostOf(standby)]) };
  const { code, stderr } = await runCli(['migrate'], { env });
  expect(stderr).toMatch(
    new RegExp(
      `none of the servers.*is a primary \\(${nowhere}: connect ECONNREFUSED.*; ${hostOf(standby)}: is a standby\\)`,
    ),
  );
  expect(stderr).not.toContain(passwordOf(primary));
  expect(code).toBe(75);
});

test('after a failover connections come to the new primary, and stay when the old one is back as a standby', async () => {
  const [a, b] = [hostOf(primary), hostOf(standby)];
  const sql = connect(urlOf([a, b]), { max: 4 });
  onTestFinished(() => sql.end({ timeout: 1 }));
  const all = () =>
    Promise.all(Array.from({ length: 8 }, () => query<{ port: number }>(sql, `${ask}, pg_sleep(0.05)`, [])));
  const served = async () => new Set((await all()).map(([row]) => `127.0.0.1:${row!.port}`));
  expect(await served()).toEqual(new Set([a]));
  await primary.stop();
  const admin = new Client({ connectionString: standby.url });
  await admin.connect();
  await admin.query('SELECT pg_promote()');
  await admin.end();
  await expect.poll(() => served().catch(() => null)).toEqual(new Set([b]));
  await writeFile(join(folder('a'), 'postgres', 'standby.signal'), '');
  primary = await startPostgres({ directory: folder('a'), port: Number(a.split(':')[1]) });
  const cut = new Client({ connectionString: standby.url });
  await cut.connect();
  await cut.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rota'");
  await cut.end();
  await expect.poll(() => served().catch(() => null)).toEqual(new Set([b]));
});
