import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startNats } from '../../src/embedded/nats.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { freePort } from '../../src/embedded/process.ts';
import { type RotaClient, connectRota } from '../../src/nats/client.ts';
import { startKat } from '../../src/simulator/kat.ts';
import { Supervisor } from '../drill/supervisor.ts';
import { addOrganisation, boefje, emptyWorld, hostname, normalizer } from '../support/kat-world.ts';
import { type Control, startRabbitmq } from '../support/rabbitmq.ts';
import type { World } from './arbitrary.ts';

export type Broker = 'amqp' | 'jetstream';

/** A supervisor as a process, on real services without a proxy: what is slow here is Rota or its services. */
export interface Stage {
  readonly supervisor: Supervisor;
  readonly natsUrl: string;
  readonly amqpUrl: string;
  readonly rabbitmqControl: Control;
  readonly databaseUrl: string;
  readonly prefix: string;
  readonly client: RotaClient;
  readonly organisation: string;
  /** What inputs may name. */
  readonly world: World;
}

const tasksAtFirst = 200;

const opened = new Set<AsyncDisposableStack>();
let ended: Promise<unknown> | null = null;

/** Ends what every stage has started. Call it before an exit, which would leave servers and folders behind. */
export async function endStages(): Promise<void> {
  await (ended ??= Promise.allSettled([...opened].map((stack) => stack.disposeAsync())));
}

/** @param stack ends all that was started. */
export async function openStage(events: Broker, stack: AsyncDisposableStack): Promise<Stage> {
  if (ended !== null) throw new Error('the stages have ended');
  opened.add(stack);
  stack.defer(() => void opened.delete(stack));
  const directory = await mkdtemp(join(tmpdir(), 'rota-fuzz-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const ending = <T extends { stop(): Promise<void> }>(part: T): T => {
    // One that was starting when the others were ended: it ends with the process.
    if (stack.disposed) throw new Error('the stages have ended');
    stack.defer(() => part.stop());
    return part;
  };
  const [postgres, nats, rabbitmq] = await Promise.all([
    startPostgres({ directory }).then(ending),
    startNats({ directory }).then(ending),
    startRabbitmq(directory).then(ending),
  ]);
  const world = emptyWorld();
  const kat = await startKat(world);
  stack.defer(() => kat.close());
  const organisation = addOrganisation(world, {
    plugins: [boefje('dns'), boefje('nmap'), normalizer('dns')],
    objects: [hostname('a.nl'), hostname('b.nl')],
  });
  const prefix = 'fuzzed';
  const supervisor = ending(
    new Supervisor({
      number: 0,
      port: await freePort(),
      log: join(directory, 'supervisor.log'),
      environment: {
        SCHEDULER_DB_URI: postgres.url,
        SCHEDULER_DB_CONNECTION_POOL_SIZE: '10',
        NATS_URL: nats.url,
        SCHEDULER_NATS_PREFIX: prefix,
        QUEUE_URI: rabbitmq.url,
        KATALOGUS_API: kat.urls.katalogus,
        OCTOPOES_API: kat.urls.octopoes,
        BYTES_API: kat.urls.bytes,
        BYTES_USERNAME: kat.credentials.username,
        BYTES_PASSWORD: kat.credentials.password,
        SCHEDULER_EVENTS: events,
      },
    }),
  );
  supervisor.spawn();
  await supervisor.ready();
  const client = await connectRota({ servers: nats.url, prefix });
  stack.defer(() => client.close());
  const ids = await fill(client, organisation.id);
  const vocabulary = {
    scheduler: ['boefje', 'normalizer', 'report'],
    scheduler_id: ['boefje', 'normalizer', 'report'],
    organisation: [organisation.id],
    organisations: [organisation.id],
    organization: [organisation.id],
    client_id: [organisation.id],
    boefje: ['dns', 'nmap'],
    plugin: ['dns', 'nmap'],
    plugin_id: ['dns', 'nmap'],
    primary_key: ['Hostname|internet|a.nl', 'Hostname|internet|b.nl'],
    object_type: ['Hostname'],
    ooi: ['Hostname|internet|a.nl'],
    input_ooi: ['Hostname|internet|a.nl'],
    cron: ['0 0 * * *', '*/5 * * * *'],
    schedule: ['0 0 * * *', '*/5 * * * *'],
  };
  return {
    supervisor,
    natsUrl: nats.url,
    amqpUrl: rabbitmq.url,
    rabbitmqControl: rabbitmq.control,
    databaseUrl: postgres.url,
    prefix,
    client,
    organisation: organisation.id,
    world: { vocabulary, ids },
  };
}

/** @returns ids of tasks that are queued. */
async function fill(client: RotaClient, organisation: string): Promise<readonly string[]> {
  const pushes = Array.from({ length: tasksAtFirst }, (_, at) => ({
    organisation,
    data: { boefje: { id: 'dns' }, input_ooi: `Hostname|internet|${at}.nl`, organization: organisation },
  }));
  const pushed = await client.push('boefje', pushes);
  return pushed.flatMap((result) => ('id' in result ? [result.id] : [])).slice(0, 20);
}

/** One statement, past Rota. */
export async function query<T extends object>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}
