import { access, constants, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  type Embedded,
  freePort,
  startServer,
  stopServer,
  unpackDebian,
  untilReady,
} from '../../src/embedded/process.ts';

/**
 * Starts a real RabbitMQ on loopback: the installed one, else Debian's packages unpacked beside the checkout. Its epmd
 * is our child too, on a port of its own, so that nothing outlives the tests.
 */
export async function startRabbitmq(
  directory: string,
  options: { port?: number } = {},
): Promise<Embedded & { readonly control: Control; kill(): Promise<void> }> {
  const home = join(directory, 'rabbitmq');
  await mkdir(home, { recursive: true });
  const program = await locate();
  const [epmdPort, distributionPort] = [await freePort(), await freePort()];
  // Its store is named after the port: one that starts again at the same port finds its queues.
  const port = options.port ?? (await freePort());
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...program.env,
    HOME: home,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `rota${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(home, 'mnesia'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(home, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(home, 'advanced'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  };
  await writeFile(join(home, 'enabled_plugins'), '[].\n');
  await writeFile(join(home, 'rabbitmq.conf'), 'log.console.level = error\ndisk_free_limit.absolute = 10MB\n');
  const epmd = startServer(program.epmd, ['-port', String(epmdPort), '-address', '127.0.0.1'], env);
  const server = startServer(program.server, [], env);
  await untilReady(() => speaksAmqp(port), server.failed, 90_000);
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    pid: server.child.pid!,
    control: { command: program.control, env },
    stop: async () => {
      await stopServer(server.child, 'SIGTERM', 20_000);
      await stopServer(epmd.child, 'SIGTERM');
    },
    // The shell script that starts it and Erlang are one process group.
    kill: async () => {
      process.kill(-server.child.pid!, 'SIGKILL');
      await stopServer(server.child, 'SIGKILL');
      await stopServer(epmd.child, 'SIGKILL');
    },
  };
}

/** How to run rabbitmqctl against it: vhost.ts. */
export interface Control {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

interface Program {
  readonly server: string;
  readonly control: string;
  readonly epmd: string;
  readonly env: NodeJS.ProcessEnv;
}

async function locate(): Promise<Program> {
  const installed = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  if ((await executable(installed)) && process.env['ROTA_UNPACK_RABBITMQ'] === undefined) {
    return { server: installed, control: '/usr/lib/rabbitmq/bin/rabbitmqctl', epmd: '/usr/bin/epmd', env: {} };
  }
  if (await executable('/opt/homebrew/sbin/rabbitmq-server')) {
    return {
      server: '/opt/homebrew/sbin/rabbitmq-server',
      control: '/opt/homebrew/sbin/rabbitmqctl',
      epmd: '/opt/homebrew/bin/epmd',
      env: {},
    };
  }
  const root = await unpackDebian('rabbitmq', packages);
  const erlang = join(root, 'usr/lib/erlang');
  const rabbitmq = join(root, 'usr/lib/rabbitmq');
  const [version] = (await readdir(join(rabbitmq, 'lib'))).filter((name) => name.startsWith('rabbitmq_server'));
  const [erts] = (await readdir(erlang)).filter((name) => name.startsWith('erts-'));
  await relocate(join(erlang, 'bin/erl'), erlang);
  return {
    server: join(rabbitmq, 'lib', version!, 'sbin/rabbitmq-server'),
    control: join(rabbitmq, 'lib', version!, 'sbin/rabbitmqctl'),
    epmd: join(erlang, erts!, 'bin/epmd'),
    env: {
      RABBITMQ_HOME: join(rabbitmq, 'lib', version!),
      PATH: `${join(erlang, 'bin')}:${process.env['PATH']}`,
      LD_LIBRARY_PATH: join(root, 'usr/lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'),
    },
  };
}

/**
 * Debian's `erl` sets its root to the path of an installed package, whatever ERL_ROOTDIR says; and a checkout may move.
 * Two processes may do this at once, and write the same.
 */
async function relocate(erl: string, root: string): Promise<void> {
  const script = await readFile(erl, 'utf8');
  const here = script.replaceAll(/^( *ROOTDIR=).*$/gm, (_line, name) => `${name}'${root}'`);
  if (here === script) return;
  const written = `${erl}.${process.pid}`;
  await writeFile(written, here, { mode: 0o755 });
  await rename(written, erl);
}

/** What rabbitmq-server of Debian needs to run, its Erlang included. */
const packages = [
  'rabbitmq-server',
  'erlang-base',
  'erlang-asn1',
  'erlang-crypto',
  'erlang-eldap',
  'erlang-ftp',
  'erlang-inets',
  'erlang-mnesia',
  'erlang-os-mon',
  'erlang-parsetools',
  'erlang-public-key',
  'erlang-runtime-tools',
  'erlang-snmp',
  'erlang-ssl',
  'erlang-syntax-tools',
  'erlang-tftp',
  'erlang-tools',
  'erlang-xmerl',
  'libsctp1',
];

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The port opens before the broker serves: send the protocol header and wait for its Connection.Start. */
async function speaksAmqp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('AMQP\x00\x00\x09\x01'));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => end(false));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
