import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { freePort, startServer, stopServer, unpackDebian, untilReady } from '../../src/embedded/process.ts';

/** pgbouncer of Debian in front of a Postgres on loopback, with its defaults but for the mode. */
export async function startPgbouncer(options: {
  readonly directory: string;
  readonly postgresUrl: string;
  readonly mode: 'session' | 'transaction' | 'statement';
}): Promise<{ readonly url: (database: string) => string; stop(): Promise<void> }> {
  // Its libraries changed their names between bookworm and trixie.
  const unpacked = await unpackDebian('pgbouncer', ['pgbouncer', 'libc-ares2', 'libevent-2.1-7']).catch(() =>
    unpackDebian('pgbouncer', ['pgbouncer', 'libcares2', 'libevent-2.1-7t64']),
  );
  const folder = join(options.directory, `pgbouncer-${options.mode}`);
  await mkdir(folder, { recursive: true });
  const { port: behind, username, password } = new URL(options.postgresUrl);
  const port = await freePort();
  const users = join(folder, 'users.txt');
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(users, `"${username}" "${password}"\n`);
  const lines = [
    '[databases]',
    `* = host=127.0.0.1 port=${behind}`,
    '[pgbouncer]',
    `listen_port = ${port}`,
    'listen_addr = 127.0.0.1',
    'unix_socket_dir =',
    'auth_type = trust',
    `auth_file = ${users}`,
    `pool_mode = ${options.mode}`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const libraries = await Promise.all(
    ['usr/lib', 'lib'].map(async (one) =>
      (await readdir(join(unpacked, one)).catch(() => [])).map((name) => join(unpacked, one, name)),
    ),
  );
  const binary = join(unpacked, 'usr/sbin/pgbouncer');
  // It refuses to run as root, as Postgres does (src/embedded/postgres.ts).
  const [command, args] = process.getuid?.() === 0 ? ['unshare', ['-U', binary, file]] : [binary, [file]];
  const server = startServer(command, args, { ...process.env, LD_LIBRARY_PATH: libraries.flat().join(':') });
  await untilReady(() => accepts(port), server.failed, 10_000);
  return {
    url: (database) => `postgresql://${username}@127.0.0.1:${port}/${database}`,
    stop: () => stopServer(server.child, 'SIGINT'),
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
