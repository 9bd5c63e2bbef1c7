import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { connect as tcpConnect } from 'node:net';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RotaError } from '../errors.ts';
import { keptPassword, privateFolder, writePrivate } from './passwords.ts';
import { type Embedded, endOrphan, freePort, startServer, stopServer, unpackDebian, untilReady } from './process.ts';

/** Settings that every nats-server of Rota should have. */
const defaults = new URL('../../docs/deploy/nats-server.conf', import.meta.url);

/**
 * Starts nats-server with JetStream on loopback; its store is in `directory`. Clients need the password in `nats.url`, a file
 * that only its owner reads, unless `config` names its own users.
 */
export async function startNats(options: { directory: string; port?: number; config?: string }): Promise<Embedded> {
  const binary = await findNatsServer();
  const store = join(options.directory, 'nats');
  await privateFolder(store);
  const pidFile = join(store, 'nats-server.pid');
  await endOrphan(pidFile, 'nats-server');
  // As everywhere else, port 0 is any that is free.
  const port = options.port || (await freePort());
  // Our server would fail to listen, and the one that listens there would be taken for it.
  if (await accepts(port)) throw new RotaError('BAD_CONFIG', `port ${port} for NATS: expected one that is free`);
  const password = options.config === undefined ? await keptPassword(store) : null;
  const server = startServer(binary, [
    '-c',
    options.config ?? (await configOf(store, password!)),
    '-a',
    '127.0.0.1',
    '-p',
    String(port),
    '-js',
    '-sd',
    store,
    '-P',
    pidFile,
  ]);
  await untilReady(() => accepts(port), server.failed, 10_000);
  const url = `nats://${password === null ? '' : `rota:${password}@`}127.0.0.1:${port}`;
  await writePrivate(join(options.directory, 'nats.url'), url);
  return {
    url,
    pid: server.child.pid!,
    stop: (graceMs) => stopServer(server.child, 'SIGTERM', graceMs),
  };
}

/** In a file, since command lines are visible to every account. nats-server takes includes relative to the file's folder. */
async function configOf(store: string, password: string): Promise<string> {
  const file = join(store, 'rota.conf');
  const lines = [
    `include ${JSON.stringify(relative(store, fileURLToPath(defaults)))}`,
    `authorization: { user: "rota", password: "${password}" }`,
  ];
  await writePrivate(file, lines.join('\n'));
  return file;
}

/** nats-server is in no npm package: from PATH or the usual folders, else Debian's package unpacked without root, else Homebrew's. */
async function findNatsServer(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (await executable(join(folder, 'nats-server'))) return join(folder, 'nats-server');
  }
  for (const folder of ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']) {
    if (await executable(join(folder, 'nats-server'))) return join(folder, 'nats-server');
  }
  const unpacked = await unpackDebian('nats-server', ['nats-server']).catch(() => null);
  if (unpacked !== null) {
    for (const folder of ['usr/sbin', 'usr/bin']) {
      if (await executable(join(unpacked, folder, 'nats-server'))) return join(unpacked, folder, 'nats-server');
    }
  }
  if (process.platform === 'darwin') {
    await promisify(execFile)('brew', ['install', 'nats-server']).catch(() => {});
    for (const folder of ['/opt/homebrew/bin', '/usr/local/bin']) {
      if (await executable(join(folder, 'nats-server'))) return join(folder, 'nats-server');
    }
  }
  throw new RotaError(
    'BAD_CONFIG',
    'no nats-server here: install it (Debian: apt-get install nats-server; macOS: brew install nats-server) or set NATS_URL',
  );
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcpConnect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
