import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/embedded/process.ts';
import { type KatServiceName, type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import { emptyWorld } from '../support/kat-world.ts';
import { DrillPostgres } from './postgres.ts';
import { startBouncer } from './pgbouncer.ts';
import { Proxy } from './proxy.ts';
import { drillNats, drillRabbitmq, type DrillServer } from './services.ts';
import { Supervisor } from './supervisor.ts';
import { Unable } from './unable.ts';

export interface SceneOptions {
  readonly events: 'amqp' | 'jetstream';
  readonly supervisors: number;
  /** Three servers that know each other in place of one; supervisors then connect to them without a proxy. */
  readonly natsCluster: boolean;
  /** Before the database is made: a small file system, say. Undone by what it hands to the stack. */
  readonly prepare?: (directory: string, stack: AsyncDisposableStack) => Promise<void>;
  /** Further settings of the supervisors. */
  readonly environment: Readonly<Record<string, string>>;
  /** A standby in step with Postgres: the URL names both, or the one address leads to whichever a fault says. */
  readonly standby?: 'in-the-url' | 'behind-the-address';
  /** Postgres is reached through a pgbouncer in session mode. */
  readonly pgbouncer?: true;
  /** How far the supervisors' clocks are ahead. */
  readonly clockShiftMs?: number;
}

export const plainScene: SceneOptions = {
  events: 'amqp',
  supervisors: 2,
  natsCluster: false,
  environment: {},
};

/** Each supervisor reaches every service through a proxy of its own. */
interface Links {
  readonly postgres: Proxy;
  readonly nats: Proxy;
  readonly rabbitmq: Proxy;
}

/** Real services, proxies before them, and supervisors as processes. All of it ends with `stack`. */
export interface Scene {
  readonly options: SceneOptions;
  readonly directory: string;
  /** The primary: a failover puts the standby in its place. */
  postgres: DrillPostgres;
  readonly standby: DrillPostgres | null;
  readonly nats: readonly DrillServer[];
  readonly rabbitmq: DrillServer;
  readonly kat: SimulatedKat;
  readonly katLinks: Readonly<Record<KatServiceName, Proxy>>;
  readonly supervisors: readonly Supervisor[];
  readonly links: readonly Links[];
  readonly stack: AsyncDisposableStack;
  /** What every supervisor is started with, but for the addresses of its own. */
  environmentOf(number: number): Readonly<Record<string, string>>;
}

/**
 * In memory where there is room: nothing here loses its power, and a disk that is busy with something else would be
 * measured in place of Rota.
 */
async function place(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => null);
  const roomy = memory !== null && memory.bavail * memory.bsize > 4 * 2 ** 30;
  return mkdtemp(join(roomy ? '/dev/shm' : tmpdir(), 'rota-drill-'));
}

/** @param stack ends what was started, at any time: what starts after it has been disposed of ends at once. */
export async function openScene(options: SceneOptions, stack: AsyncDisposableStack): Promise<Scene> {
  const directory = await place();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  await options.prepare?.(directory, stack);
  const stopping = <T extends { stop(): Promise<void> }>(part: T): T => {
    if (!stack.disposed) stack.defer(() => part.stop());
    else void part.stop().finally(() => rm(directory, { recursive: true, force: true }));
    if (stack.disposed) throw new Error('the drill was stopped');
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
  const standby =
    options.standby === undefined ? null : stopping(await postgres.synchronousStandby(join(directory, 'standby')));
  const bouncer =
    options.pgbouncer === undefined
      ? null
      : stopping(await startBouncer(directory, { target: postgres, mode: 'session' }));
  const links: Links[] = [];
  for (let number = 0; number < options.supervisors; number += 1) {
    const natsPort = nats[number % nats.length]!.port;
    links.push({
      postgres: await proxy(bouncer?.port ?? postgres.port),
      nats: await proxy(natsPort),
      rabbitmq: await proxy(rabbitmq.port),
    });
  }
  const databaseUrl = (number: number) => {
    const first = `127.0.0.1:${links[number]!.postgres.port}`;
    const user = `rota:${postgres.password}`;
    if (options.standby !== 'in-the-url') return `postgres://${user}@${first}/rota`;
    return `postgres://${user}@${first},127.0.0.1:${standby!.port}/rota?target_session_attrs=read-write`;
  };
  const environmentOf = (number: number) => ({
    SCHEDULER_DB_URI: databaseUrl(number),
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
    supervisors.push(stopping(supervisor));
  }
  const { clockShiftMs } = options;
  for (const supervisor of supervisors) supervisor.spawn(clockShiftMs === undefined ? {} : { clockShiftMs });
  await Promise.all(supervisors.map((supervisor) => supervisor.ready())).catch((error: Error) => {
    const refuses = options.standby === 'in-the-url' && /SCHEDULER_DB_URI/.test(error.message);
    throw refuses ? new Unable('a URL of two hosts is refused by the configuration') : error;
  });
  const services = { postgres, standby, nats, rabbitmq, kat, katLinks };
  return { options, directory, ...services, supervisors, links, stack, environmentOf };
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
