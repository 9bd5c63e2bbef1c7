import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/embedded/process.ts';
import { type KatServiceName, type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import { emptyWorld } from '../support/kat-world.ts';
import { DrillPostgres } from './postgres.ts';
import { Proxy } from './proxy.ts';
import { drillNats, drillRabbitmq, type DrillServer } from './services.ts';
import { Supervisor } from './supervisor.ts';

export interface SceneOptions {
  readonly events: 'amqp' | 'jetstream';
  readonly supervisors: number;
  /** Three servers that know each other in place of one; supervisors then connect to them without a proxy. */
  readonly natsCluster: boolean;
  /** Before the database is made: a small file system, say. Undone by what it hands to the stack. */
  readonly prepare?: (directory: string, stack: AsyncDisposableStack) => Promise<void>;
  /** Further settings of the supervisors. */
  readonly environment: Readonly<Record<string, string>>;
  /** False: the fault starts them itself. */
  readonly start: boolean;
}

export const plainScene: SceneOptions = {
  events: 'amqp',
  supervisors: 2,
  natsCluster: false,
  environment: {},
  start: true,
};

/** Each supervisor reaches every service through a proxy of its own. */
export interface Links {
  readonly postgres: Proxy;
  readonly nats: Proxy;
  readonly rabbitmq: Proxy;
}

/** Real services, proxies before them, and supervisors as processes. All of it ends with `stop`. */
export interface Scene {
  readonly options: SceneOptions;
  readonly directory: string;
  readonly postgres: DrillPostgres;
  readonly nats: readonly DrillServer[];
  readonly rabbitmq: DrillServer;
  readonly kat: SimulatedKat;
  readonly katLinks: Readonly<Record<KatServiceName, Proxy>>;
  readonly supervisors: readonly Supervisor[];
  readonly links: readonly Links[];
  /** Ends what a fault starts beside it. */
  readonly stack: AsyncDisposableStack;
  /** What every supervisor is started with, but for the addresses of its own. */
  environmentOf(number: number): Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function openScene(options: SceneOptions): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  try {
    return await build(options, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function build(options: SceneOptions, stack: AsyncDisposableStack): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-drill-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  await options.prepare?.(directory, stack);
  const stopping = <T extends { stop(): Promise<void> }>(part: T): T => {
    stack.defer(() => part.stop());
    return part;
  };
  const [postgres, nats, rabbitmq] = await Promise.all([
    DrillPostgres.start(directory).then(stopping),
    startServers(directory, options.natsCluster ? 3 : 1).then((servers) => servers.map(stopping)),
    drillRabbitmq(directory).then(stopping),
  ]);
  const kat = await startKat(emptyWorld());
  stack.defer(() => kat.close());
  const proxy = async (target: number) => stopping(await Proxy.start(target));
  const katProxy = (service: KatServiceName) => proxy(Number(new URL(kat.urls[service]).port));
  const katLinks = {
    katalogus: await katProxy('katalogus'),
    octopoes: await katProxy('octopoes'),
    bytes: await katProxy('bytes'),
  };
  const links: Links[] = [];
  for (let number = 0; number < options.supervisors; number += 1) {
    const natsPort = nats[number % nats.length]!.port;
    links.push({
      postgres: await proxy(postgres.port),
      nats: await proxy(natsPort),
      rabbitmq: await proxy(rabbitmq.port),
    });
  }
  const environmentOf = (number: number) => ({
    SCHEDULER_DB_URI: `postgres://rota@127.0.0.1:${links[number]!.postgres.port}/rota`,
    SCHEDULER_DB_CONNECTION_POOL_SIZE: '10',
    NATS_URL: `nats://127.0.0.1:${options.natsCluster ? nats[number]!.port : links[number]!.nats.port}`,
    QUEUE_URI: `amqp://guest:guest@127.0.0.1:${links[number]!.rabbitmq.port}`,
    KATALOGUS_API: `http://127.0.0.1:${katLinks.katalogus.port}`,
    OCTOPOES_API: `http://127.0.0.1:${katLinks.octopoes.port}`,
    BYTES_API: `http://127.0.0.1:${katLinks.bytes.port}`,
    BYTES_USERNAME: kat.credentials.username,
    BYTES_PASSWORD: kat.credentials.password,
    SCHEDULER_EVENTS: options.events,
    ...options.environment,
  });
  const supervisors: Supervisor[] = [];
  for (let number = 0; number < options.supervisors; number += 1) {
    const log = join(directory, `supervisor-${number}.log`);
    const supervisor = new Supervisor({ number, port: await freePort(), log, environment: environmentOf(number) });
    supervisors.push(supervisor);
    stack.defer(async () => {
      supervisor.signal('SIGCONT');
      await supervisor.end('SIGTERM', 12_000);
    });
  }
  if (options.start) {
    for (const supervisor of supervisors) supervisor.spawn();
    await Promise.all(supervisors.map((supervisor) => supervisor.ready()));
  }
  const stop = () => stack.disposeAsync();
  const services = { postgres, nats, rabbitmq, kat, katLinks };
  return { options, directory, ...services, supervisors, links, stack, environmentOf, stop };
}

async function startServers(directory: string, count: number): Promise<readonly DrillServer[]> {
  if (count === 1) return [await drillNats(directory)];
  const routes = await Promise.all(Array.from({ length: count }, freePort));
  return Promise.all(
    routes.map(async (port, at) => {
      const peers = routes.map((peer) => `nats-route://127.0.0.1:${peer}`).join(', ');
      const name = `server_name: "drill-${at}"\n`;
      const folder = join(directory, `nats-${at}`);
      await mkdir(folder);
      return drillNats(folder, `${name}cluster { name: "drill", listen: "127.0.0.1:${port}", routes: [${peers}] }\n`);
    }),
  );
}
