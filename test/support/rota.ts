import { randomUUID } from 'node:crypto';
import { Connection } from 'rabbitmq-client';
import { inject } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { startRota } from '../../src/main.ts';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import type { EventStream } from '../../src/protocol/scheduler.ts';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { boefjeRun, rawFileReceived, scanProfileMutation } from '../../src/simulator/events.ts';
import { type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import type { SimulatedObject, World } from '../../src/simulator/world.ts';
import { next } from '../../src/telemetry/events.ts';
import type { Task } from '../../src/tasks/task.ts';
import { createDatabase } from './database.ts';
import { emptyWorld } from './kat-world.ts';
import { createVhost } from './vhost.ts';

/**
 * What supervisors of one installation share: a database, a NATS prefix and a RabbitMQ virtual host of its own on the test
 * services, and a simulated KAT. Everything that was started on it ends with `stop`.
 */
export interface House {
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  /** Of its subjects on NATS. */
  readonly prefix: string;
  readonly sql: Sql;
  readonly kat: SimulatedKat;
  readonly world: World;
  /** Any supervisor answers. */
  readonly client: RotaClient;
  /** What a supervisor of this house is configured with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Starts a whole supervisor in this process, with a REST API of its own; its actors have started and listen. */
  start(options?: RotaOptions): Promise<TestRota>;
  /** As KAT's producers do. Resolves once RabbitMQ has it. */
  publish(stream: EventStream, body: unknown, headers?: Readonly<Record<string, string>>): Promise<void>;
  /** Octopoes set the object's clearance. */
  mutate(organisation: string, object: SimulatedObject, operation?: 'create' | 'update'): Promise<void>;
  /** Bytes stored what boefje `dns` found. */
  receiveRawFile(organisation: string, object: SimulatedObject, raw: RawFile): Promise<void>;
  /** What ended on `<stream>.dead`, oldest first, as it takes them from there. */
  takeDead(stream: EventStream): Promise<DeadLetter | null>;
  stop(): Promise<void>;
}

interface RotaOptions {
  /** On top of what the house says. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Folder of the schedulers, in place of `actors/`. */
  readonly actors?: URL;
}

interface RawFile {
  readonly mimeTypes: readonly string[];
  /** Where Bytes gives it. */
  readonly size?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface TestRota {
  readonly api: string;
  /** Null without SCHEDULER_PAGE_PORT. */
  readonly page: string | null;
  /** One request to its REST API. */
  ask<T = Task>(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: T }>;
  drain(): Promise<void>;
}

interface DeadLetter {
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** `prepare` gets the empty database before any supervisor does; `prefix`: a name that is shown, in place of a random one. */
export async function openHouse(
  options: { prepare?: (databaseUrl: string) => Promise<void>; prefix?: string } = {},
): Promise<House> {
  const [database, vhost] = await Promise.all([createDatabase(), createVhost()]);
  await options.prepare?.(database.url);
  const world = emptyWorld();
  const kat = await startKat(world);
  const prefix = options.prefix ?? `rota-${randomUUID()}`;
  const client = await connectRota({ servers: inject('natsUrl'), prefix });
  const sql = connect(database.url, { max: 2 });
  const rabbit = new Connection(vhost.url);
  const publisher = rabbit.createPublisher({
    confirm: true,
    queues: ['scan_profile_mutations', 'raw_file_received'].map((queue) => ({ queue, durable: true })),
  });
  const publish = async (stream: EventStream, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    await publisher.send({ routingKey: stream, durable: true, headers }, bytes);
  };
  const rotas = new Set<TestRota>();
  const environment = {
    SCHEDULER_DB_URI: database.url,
    SCHEDULER_DB_CONNECTION_POOL_SIZE: '6',
    NATS_URL: inject('natsUrl'),
    SCHEDULER_NATS_PREFIX: prefix,
    QUEUE_URI: vhost.url,
    KATALOGUS_API: kat.urls.katalogus,
    OCTOPOES_API: kat.urls.octopoes,
    BYTES_API: kat.urls.bytes,
    BYTES_USERNAME: kat.credentials.username,
    BYTES_PASSWORD: kat.credentials.password,
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: '0',
    SCHEDULER_LOGGING_FORMAT: 'json',
    SCHEDULER_RETRY_SECONDS: '0',
  };
  return {
    databaseUrl: database.url,
    amqpUrl: vhost.url,
    prefix,
    sql,
    kat,
    world,
    client,
    environment,
    async start({ environment: more = {}, actors } = {}) {
      const config = readConfig({ ...environment, ...more });
      const connected = next('source.connected');
      const rota = await startRota(config, actors === undefined ? {} : { actors: [actors] });
      if (config.QUEUE_URI !== undefined) await connected;
      const started: TestRota = {
        api: rota.api,
        page: rota.page,
        ask: (method, path, body) => ask(rota.api + path, method, body),
        async drain() {
          if (rotas.delete(started)) await rota.drain();
        },
      };
      rotas.add(started);
      return started;
    },
    publish,
    mutate: (organisation, object, operation = 'update') =>
      publish('scan_profile_mutations', scanProfileMutation(organisation, operation, object)),
    receiveRawFile(organisation, object, { mimeTypes, size, environment = {} }) {
      const run = boefjeRun({ boefje: 'dns', inputOoi: object.reference, organisation, tookMs: 10 });
      const event = rawFileReceived(randomUUID(), { ...run, environment }, mimeTypes);
      const raw = size === undefined ? event.raw_data : { ...event.raw_data, size };
      return publish('raw_file_received', { ...event, raw_data: raw });
    },
    async takeDead(stream) {
      const letter = await rabbit.basicGet({ queue: `${stream}.dead`, noAck: true });
      return letter === undefined ? null : { body: String(letter.body), headers: letter.headers ?? {} };
    },
    async stop() {
      await Promise.all([...rotas].map((rota) => rota.drain()));
      await publisher.close();
      await rabbit.close();
      await Promise.all([client.close(), sql.end(), kat.close()]);
      await Promise.all([database.drop(), vhost.drop()]);
    },
  };
}

async function ask<T>(url: string, method: string, body: unknown): Promise<{ status: number; body: T }> {
  const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(url, { method, ...(body === undefined ? {} : json) });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T };
}
