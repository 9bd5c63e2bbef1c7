import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';
import { freePort } from '../../src/embedded/process.ts';
import { runCli } from '../support/cli.ts';

// Whole processes: seconds each on an idle machine.
vi.setConfig({ testTimeout: 120_000 });

/** A Postgres of this file's own: roles with passwords, and bounds that others must not meet. */
let directory: string;
let postgres: EmbeddedPostgres;
let port: string;
let refusedPort: number;
let silent: Server;
let silentPort: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-deploy-'));
  postgres = await startPostgres({ directory });
  port = new URL(postgres.url).port;
  refusedPort = await freePort();
  // Takes connections and never answers, as a firewall that drops what passes.
  silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  silentPort = (silent.address() as { port: number }).port;
  const hba = join(postgres.directory, 'pg_hba.conf');
  const own = await readFile(hba, 'utf8');
  // Whatever password they give: what is tested is what comes after it.
  const trusted = ['rota', 'guest', 'lonely', 'careless'].map((role) => `host all ${role} 127.0.0.1/32 trust`);
  await writeFile(
    hba,
    ['host all careful 127.0.0.1/32 scram-sha-256', 'host all outsider 127.0.0.1/32 reject', ...trusted, own].join(
      '\n',
    ),
  );
  await sql(
    `CREATE ROLE careful LOGIN PASSWORD 'right'`,
    'CREATE ROLE outsider LOGIN',
    'CREATE ROLE guest LOGIN',
    'CREATE ROLE lonely LOGIN CONNECTION LIMIT 0',
    'CREATE DATABASE kat OWNER careful',
    'CREATE DATABASE closed OWNER careful',
    'REVOKE CONNECT ON DATABASE closed FROM PUBLIC',
    `CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`,
    `CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    'SELECT pg_reload_conf()',
  );
});
afterAll(async () => {
  await postgres.stop();
  silent.close();
  await rm(directory, { recursive: true, force: true });
});

async function sql(...statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

const at = (user: string, database: string, more = '') => `postgresql://${user}@127.0.0.1:${port}/${database}${more}`;

interface Mistake {
  readonly uri: () => string;
  readonly says: () => RegExp;
  readonly exit: 75 | 78;
}

const place = (user: string, database: string, where = `127.0.0.1:${port}`) =>
  `Postgres at ${where}, database "${database}", user "${user}"`;
const mistakes: Readonly<Record<string, Mistake>> = {
  'a wrong database name': {
    uri: () => at('careful:right', 'kta'),
    says: () =>
      new RegExp(`${place('careful', 'kta')}: database "kta" does not exist; create it, or .*SCHEDULER_DB_URI`),
    exit: 78,
  },
  'a wrong password': {
    uri: () => at('careful:hunter2', 'kat'),
    says: () =>
      new RegExp(`${place('careful', 'kat')}: password authentication failed for user "careful"; .*SCHEDULER_DB_URI`),
    exit: 78,
  },
  'no password where one is wanted': {
    uri: () => at('careful', 'kat'),
    says: () => new RegExp(`${place('careful', 'kat')}: .*password.*; .*SCHEDULER_DB_URI`),
    exit: 78,
  },
  'a role that is not there': {
    uri: () => at('careless:hunter2', 'kat'),
    says: () => new RegExp(`${place('careless', 'kat')}: role "careless" does not exist; .*SCHEDULER_DB_URI`),
    exit: 78,
  },
  'a role that may not come from here': {
    uri: () => at('outsider:hunter2', 'kat'),
    says: () => new RegExp(`${place('outsider', 'kat')}: pg_hba.conf rejects connection.*; .*pg_hba.conf`),
    exit: 78,
  },
  'a role that may not connect': {
    uri: () => at('guest:hunter2', 'closed'),
    says: () => new RegExp(`${place('guest', 'closed')}: permission denied for database "closed"; .*grant`),
    exit: 78,
  },
  'a role that may not create tables': {
    uri: () => at('guest:hunter2', 'kat'),
    says: () => new RegExp(`${place('guest', 'kat')}: permission denied for schema public; .*GRANT.*SCHEMA`),
    exit: 78,
  },
  'a server where nothing listens': {
    uri: () => `postgresql://careful:hunter2@127.0.0.1:${refusedPort}/kat`,
    says: () =>
      new RegExp(
        `${place('careful', 'kat', `127.0.0.1:${refusedPort}`)}: connect ECONNREFUSED.*; start it.*SCHEDULER_DB_URI`,
      ),
    exit: 75,
  },
  'a host that is not known': {
    uri: () => 'postgresql://careful:hunter2@no-such-host.invalid/kat',
    says: () =>
      new RegExp(
        `${place('careful', 'kat', 'no-such-host.invalid:5432')}: getaddrinfo (ENOTFOUND|EAI_AGAIN) no-such-host.invalid; .*SCHEDULER_DB_URI`,
      ),
    exit: 78,
  },
  'a server that never answers': {
    uri: () => `postgresql://careful:hunter2@127.0.0.1:${silentPort}/kat`,
    says: () => new RegExp(`${place('careful', 'kat', `127.0.0.1:${silentPort}`)}: no answer within 10 s; .*firewall`),
    exit: 75,
  },
  'TLS that the server has not': {
    uri: () => at('careful:right', 'kat', '?sslmode=require'),
    says: () => new RegExp(`${place('careful', 'kat')}: The server does not support SSL connections; .*sslmode`),
    exit: 78,
  },
  'a certificate that is not there': {
    uri: () => at('careful:hunter2', 'kat', '?sslmode=verify-full&sslrootcert=/no/such/file'),
    says: () => /SCHEDULER_DB_URI.*ENOENT.*\/no\/such\/file/,
    exit: 78,
  },
  'a parameter that the server does not know': {
    uri: () => at('careful:right', 'kat', '?options=-c%20nonsense%3D1'),
    says: () => new RegExp(`${place('careful', 'kat')}: unrecognized configuration parameter.*; .*SCHEDULER_DB_URI`),
    exit: 78,
  },
  'too many connections': {
    uri: () => at('lonely:hunter2', 'kat'),
    says: () => new RegExp(`${place('lonely', 'kat')}: too many connections for role "lonely"; .*`),
    exit: 75,
  },
  'a database of ASCII': {
    uri: () => at('rota:hunter2', 'ascii'),
    says: () =>
      new RegExp(`${place('rota', 'ascii')}: its encoding is SQL_ASCII; .*ENCODING 'UTF8' TEMPLATE template0`),
    exit: 78,
  },
  'a database of Latin': {
    uri: () => at('rota:hunter2', 'latin'),
    says: () => new RegExp(`${place('rota', 'latin')}: its encoding is LATIN1; .*ENCODING 'UTF8' TEMPLATE template0`),
    exit: 78,
  },
};

function expectSentence(ended: { readonly code: number | null; readonly stderr: string }, says: RegExp, exit: number) {
  expect(ended.stderr).toMatch(says);
  expect(ended.stderr.trim().split('\n'), ended.stderr).toHaveLength(1);
  expect(ended.stderr).not.toMatch(/hunter2|right|\bat .*\.ts:/);
  expect(ended.code).toBe(exit);
}

for (const [what, { uri, says, exit }] of Object.entries(mistakes)) {
  test.concurrent(`${what} is one sentence with the place, the reason and what to do, exit ${exit}`, async () => {
    const env = { SCHEDULER_DB_URI: uri(), DEBUG: 'True' };
    const ended = await runCli(['migrate'], { env });
    // Where there is no network the name service does not answer at all: that may pass.
    expectSentence(ended, says(), ended.stderr.includes('EAI_AGAIN') ? 75 : exit);
  });
}

test('a start that does not migrate, and a dry run, say the same', async () => {
  const { uri, says, exit } = mistakes['a wrong password']!;
  const env = { SCHEDULER_DB_URI: uri(), NATS_URL: inject('natsUrl'), DATABASE_MIGRATION: 'False' };
  for (const args of [['start'], ['migrate', '--dry-run'], ['migrate', '--back-to-mula']]) {
    expectSentence(await runCli(args, { env }), says(), exit);
  }
});

test('a database that is not of UTF-8 has no table of ours afterwards', async () => {
  const client = new Client({ connectionString: at('rota', 'latin') });
  await client.connect();
  const { rows } = await client.query("SELECT to_regclass('rota_migrations') AS ours");
  await client.end();
  expect(rows).toEqual([{ ours: null }]);
});
