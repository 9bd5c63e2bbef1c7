import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { freePort } from '../../src/embedded/process.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { runCli } from '../support/cli.ts';

// Whole processes: seconds each on an idle machine.
vi.setConfig({ testTimeout: 120_000 });

/** Any account on the machine may connect to its loopback: only the owner of the data folder may log in. */

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-embedded-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const without = (url: string) => Object.assign(new URL(url), { password: '' }).href;
const other = (url: string) => Object.assign(new URL(url), { password: 'guess' }).href;

async function asked(url: string): Promise<string> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    await client.query('SELECT 1');
    return 'answers';
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).message;
  } finally {
    await client.end();
  }
}

/** Files and folders that others may read or enter, by what they may. */
async function open(path: string): Promise<readonly string[]> {
  const { mode } = await stat(path);
  return (mode & 0o077) === 0 ? [] : [path];
}

test('Postgres refuses a client without the password, which is only in files of the owner', async () => {
  const directory = await folder();
  const port = await freePort();
  const postgres = await startPostgres({ directory, port });
  onTestFinished(() => postgres.stop());
  expect(await asked(postgres.url)).toBe('answers');
  expect(await asked(Object.assign(new URL(postgres.url), { pathname: '/postgres' }).href)).toBe('answers');
  expect(await asked(other(postgres.url))).toBe('28P01');
  expect(await asked(without(postgres.url))).not.toBe('answers');
  expect(await readFile(join(directory, 'postgres.url'), 'utf8')).toBe(`${postgres.url}\n`);
  for (const path of ['postgres', 'postgres.url', 'postgres/rota.password'])
    expect(await open(join(directory, path))).toEqual([]);
  // Again on the same folder: the same password, whatever the port.
  await postgres.stop();
  const again = await startPostgres({ directory, port: await freePort() });
  onTestFinished(() => again.stop());
  expect(new URL(again.url).password).toBe(new URL(postgres.url).password);
  expect(await asked(again.url)).toBe('answers');
});

test('an older data folder, which trusts every client, requires a password from its next start on, and keeps its data', async () => {
  const directory = await folder();
  const first = await startPostgres({ directory });
  const client = new Client({ connectionString: first.url });
  await client.connect();
  await client.query('CREATE TABLE kept (id int); ALTER ROLE rota PASSWORD NULL');
  await client.end();
  await first.stop();
  await rm(join(directory, 'postgres/rota.password'));
  await writeFile(join(directory, 'postgres/pg_hba.conf'), 'local all all trust\nhost all all 127.0.0.1/32 trust\n');

  const postgres = await startPostgres({ directory });
  onTestFinished(() => postgres.stop());
  expect(await asked(other(postgres.url))).toBe('28P01');
  expect(await asked(without(postgres.url))).not.toBe('answers');
  const reader = new Client({ connectionString: postgres.url });
  await reader.connect();
  expect((await reader.query('SELECT count(*) FROM kept')).rows).toEqual([{ count: '0' }]);
  await reader.end();
});

test('nats-server refuses a client without the password, which no command line and no readable file shows', async () => {
  const directory = await folder();
  const nats = await startNats({ directory });
  onTestFinished(() => nats.stop());
  const { password } = new URL(nats.url);
  expect(password).toMatch(/^.{32,}$/);
  await (await connectNats({ servers: nats.url })).close();
  for (const url of [without(nats.url), other(nats.url), `nats://${new URL(nats.url).host}`])
    await expect(connectNats({ servers: url })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  const { stdout } = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(nats.pid)]);
  expect(stdout).toMatch(/nats-server/);
  expect(stdout).not.toContain(password);
  expect(await readFile(join(directory, 'nats.url'), 'utf8')).toBe(`${nats.url}\n`);
  for (const path of ['nats', 'nats.url']) expect(await open(join(directory, path))).toEqual([]);
  for (const name of await readdir(join(directory, 'nats')))
    if (/conf|password/.test(name)) expect(await open(join(directory, 'nats', name))).toEqual([]);
});

test('in another shell the commands find the NATS of `rota dev` by its file, and say no password', async () => {
  const directory = await folder();
  const data = join(directory, '.rota/dev');
  const nats = await startNats({ directory: data });
  onTestFinished(() => nats.stop());
  const found = await runCli(['status', '--timeout', '2'], { cwd: directory });
  // It logged in, and no supervisor answers there.
  expect(found.stderr).toMatch(/no supervisor|answer/);
  expect(found.stderr).not.toMatch(/refuses these credentials/);
  const help = await runCli(['status', '--help'], { cwd: directory });
  expect(help.stdout + help.stderr + found.stdout + found.stderr).not.toContain(new URL(nats.url).password);
});

test('a file of `rota dev` that cannot be read ends no command: it is another account’s, and NATS at its usual port is asked', async () => {
  const directory = await folder();
  // Root may read every file; no user can read a folder as one.
  await mkdir(join(directory, '.rota/dev/nats.url'), { recursive: true });
  const help = await runCli(['status', '--help'], { cwd: directory });
  expect(help).toMatchObject({ code: 0, stderr: '' });
});

test('compose.yaml’s NATS accepts the user of its environment, and no other', async () => {
  const config = fileURLToPath(new URL('../../docs/deploy/nats-compose.conf', import.meta.url));
  vi.stubEnv('NATS_USER', 'scheduler');
  vi.stubEnv('NATS_PASSWORD', 'r0123456789abcdef');
  onTestFinished(() => void vi.unstubAllEnvs());
  const nats = await startNats({ directory: await folder(), config });
  onTestFinished(() => nats.stop());
  const auth = { user: 'scheduler', password: 'r0123456789abcdef' };
  await (await connectNats({ servers: nats.url, auth })).close();
  await expect(connectNats({ servers: nats.url })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});
