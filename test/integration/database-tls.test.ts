import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';
import { connect, query } from '../../src/postgres/pool.ts';
import { inSession } from '../../src/postgres/session.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';

/** A Postgres with a certificate for `localhost`, and roles that may come with TLS only, without only, or with a certificate. */
let directory: string;
let postgres: EmbeddedPostgres;
let ours: Authority;
let theirs: Authority;
let client: { readonly certificate: string; readonly key: string };
let port: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-tls-'));
  [ours, theirs] = await Promise.all([createAuthority(directory, 'ours'), createAuthority(directory, 'theirs')]);
  const server = await ours.sign('server', 'DNS:localhost');
  client = await ours.sign('certified');
  const settings = {
    ssl: 'on',
    ssl_cert_file: server.certificate,
    ssl_key_file: server.key,
    ssl_ca_file: ours.root,
    unix_socket_directories: directory,
  };
  postgres = await startPostgres({ directory, settings });
  port = new URL(postgres.url).port;
  const hba = join(postgres.directory, 'pg_hba.conf');
  const rules = [
    'hostssl all secret 127.0.0.1/32 trust',
    'hostnossl all secret 127.0.0.1/32 reject',
    'hostnossl all open 127.0.0.1/32 trust',
    'hostssl all open 127.0.0.1/32 reject',
    'hostssl all certified 127.0.0.1/32 cert',
    'host all anyone 127.0.0.1/32 trust',
    'local all anyone trust',
  ];
  await writeFile(hba, [...rules, await readFile(hba, 'utf8')].join('\n'));
  const admin = new Client({ connectionString: postgres.url });
  await admin.connect();
  for (const role of ['secret', 'open', 'certified', 'anyone'])
    await admin.query(`CREATE ROLE ${role} SUPERUSER LOGIN`);
  await admin.query('SELECT pg_reload_conf()');
  await admin.end();
});
afterAll(async () => {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
});

const ask = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
type Row = { readonly ssl: boolean };

/** What each driver makes of a URL: `tls`, `plain`, or the beginning of what it says. */
async function outcomes(url: string): Promise<readonly string[]> {
  const shown = (rows: readonly Row[]) => (rows[0]!.ssl ? 'tls' : 'plain');
  const refused = (error: unknown) => (error as Error).message;
  const pooled = async () => {
    const sql = connect(url, { max: 1 });
    onTestFinished(() => sql.end({ timeout: 1 }));
    return shown(await query<Row>(sql, ask, []));
  };
  const session = async () => shown(await inSession(url, async (one) => (await one.query<Row>(ask)).rows));
  return [await pooled().catch(refused), await session().catch(refused)];
}

const at = (parameters: string, { user = 'anyone', host = 'localhost' } = {}) =>
  `postgresql://${user}@${host}:${port}/rota?${parameters}`;

test.for<[string, () => string, string | RegExp]>([
  ['disable', () => at('sslmode=disable'), 'plain'],
  ['disable where TLS is asked for', () => at('sslmode=disable', { user: 'secret' }), /pg_hba\.conf/],
  ['allow', () => at('sslmode=allow'), 'plain'],
  ['allow where TLS is asked for', () => at('sslmode=allow', { user: 'secret' }), 'tls'],
  ['prefer', () => at('sslmode=prefer'), 'tls'],
  ['prefer where TLS is refused', () => at('sslmode=prefer', { user: 'open' }), 'plain'],
  ['nothing', () => at(''), 'tls'],
  ['require', () => at('sslmode=require', { host: '127.0.0.1' }), 'tls'],
  ['ssl=true', () => at('ssl=true'), 'tls'],
  ['require where TLS is refused', () => at('sslmode=require', { user: 'open' }), /pg_hba\.conf/],
  ['require with the right root', () => at(`sslmode=require&sslrootcert=${ours.root}`, { host: '127.0.0.1' }), 'tls'],
  ['require with a wrong root', () => at(`sslmode=require&sslrootcert=${theirs.root}`), /certificate/],
  ['verify-ca', () => at(`sslmode=verify-ca&sslrootcert=${ours.root}`), 'tls'],
  ['verify-ca by another name', () => at(`sslmode=verify-ca&sslrootcert=${ours.root}`, { host: '127.0.0.1' }), 'tls'],
  ['verify-ca with a wrong root', () => at(`sslmode=verify-ca&sslrootcert=${theirs.root}`), /certificate/],
  ['verify-full', () => at(`sslmode=verify-full&sslrootcert=${ours.root}`), 'tls'],
  [
    'verify-full by another name',
    () => at(`sslmode=verify-full&sslrootcert=${ours.root}`, { host: '127.0.0.1' }),
    /altnames|does not match/i,
  ],
  ['verify-full with a wrong root', () => at(`sslmode=verify-full&sslrootcert=${theirs.root}`), /certificate/],
  ['the roots of the machine', () => at('sslrootcert=system'), /certificate/],
  ['the roots of the machine, weakly', () => at('sslrootcert=system&sslmode=require'), /asks for sslmode=verify-full/],
  ['verify-full without a root', () => at('sslmode=verify-full'), /asks for sslrootcert/],
  [
    'a certificate of one’s own',
    () => at(`sslmode=require&sslcert=${client.certificate}&sslkey=${client.key}`, { user: 'certified' }),
    'tls',
  ],
  ['none where one is asked for', () => at('sslmode=require', { user: 'certified' }), /certificate/],
  [
    'a Unix socket, whatever the mode',
    () => `postgresql://anyone@${encodeURIComponent(directory)}:${port}/rota?sslmode=require`,
    'plain',
  ],
  ['a Unix socket in host=', () => `postgresql:///rota?user=anyone&host=${directory}&port=${port}`, 'plain'],
])('sslmode: %s is as in libpq, for both drivers', async ([, url, expected]) => {
  const matched = typeof expected === 'string' ? expected : expect.stringMatching(expected);
  expect(await outcomes(url())).toEqual([matched, matched]);
});

test('the error about a refused certificate says what to look at, and nothing of the password', async () => {
  const url = at(`sslmode=verify-full&sslrootcert=${theirs.root}`, { user: 'anyone:hunter2' });
  const [, said] = await outcomes(url);
  expect(said).toMatch(/^Postgres at localhost:\d+, database "rota", user "anyone": .*certificate.*; .*sslmode/);
  expect(said).not.toContain('hunter2');
});
