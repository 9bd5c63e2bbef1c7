import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, startServer, stopServer, unpackDebian, untilReady } from '../../src/embedded/process.ts';

/** Debian's, with the libraries that a slim system lacks. */
const packages = ['pgbouncer', 'libc-ares2', 'libevent-2.1-7', 'libevent-core-2.1-7'];

/** Why there is none here; null where there is one. */
export async function unableToBounce(): Promise<string | null> {
  return unpackDebian('pgbouncer', packages).then(
    () => null,
    () => 'no pgbouncer here, and Debian’s package cannot be fetched',
  );
}

/** A pgbouncer before Postgres on loopback, with the defaults of its package but for the pool mode. */
export async function startBouncer(
  directory: string,
  options: {
    readonly target: { readonly port: number; readonly password: string };
    readonly mode: 'session' | 'transaction';
  },
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const root = await unpackDebian('pgbouncer', packages);
  const folder = join(directory, `pgbouncer-${options.mode}`);
  await mkdir(folder, { mode: 0o777 });
  const port = await freePort();
  const config = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `rota = host=127.0.0.1 port=${options.target.port} dbname=rota user=rota password=${options.target.password}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${options.mode}`,
    'default_pool_size = 40',
    // docs/configuration.md: the default keeps a Postgres that is back out for 15 s.
    'server_login_retry = 1',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const libraries = join(root, 'usr/lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu');
  const binary = await find(root);
  // It refuses to be root, as Postgres does: src/embedded/postgres.ts.
  const command = process.getuid?.() === 0 ? 'unshare' : binary;
  const args = command === 'unshare' ? ['-U', binary, config] : [config];
  const server = startServer(command, args, { ...process.env, LD_LIBRARY_PATH: libraries });
  await untilReady(() => accepts(port), server.failed, 10_000);
  return { port, stop: () => stopServer(server.child, 'SIGTERM') };
}

async function find(root: string): Promise<string> {
  for (const folder of ['usr/sbin', 'usr/bin']) {
    const names = await readdir(join(root, folder)).catch((): string[] => []);
    if (names.includes('pgbouncer')) return join(root, folder, 'pgbouncer');
  }
  throw new Error('the package pgbouncer has no pgbouncer');
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
