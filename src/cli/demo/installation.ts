import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from 'nats';
import { startEmbedded } from '../../embedded/start.ts';
import type { RotaClient } from '../../nats/client.ts';
import type { EventStream } from '../../protocol/scheduler.ts';
import type { EventPublisher } from '../../simulator/events.ts';
import { environmentOf, type SimulatedKat, startKat } from '../../simulator/kat.ts';
import type { World } from '../../simulator/world.ts';
import { Inspector } from './inspection.ts';
import { startSupervisorProcess, type SupervisorProcess } from './supervisor-process.ts';

/** What the demo needs of the edges; src/cli.ts passes it in. */
export interface DemoParts {
  connectRota(access: { servers: string; prefix?: string; timeoutMs?: number }): Promise<RotaClient>;
  createJetstreamPublisher(
    connection: NatsConnection,
    prefix: string,
  ): { publish(stream: EventStream, body: string): Promise<void> };
}

/** Everything that a run needs: the clients, the simulated KAT, the supervisor and its database. */
export interface Installation {
  readonly client: RotaClient;
  readonly kat: SimulatedKat;
  readonly supervisor: SupervisorProcess;
  readonly inspector: Inspector;
}

const prefix = 'rota';
/** Short, so that the tasks of a dead worker return during the run. */
export const leaseMs = 5_000;
/** A killed supervisor leaves requests unanswered. Real workers wait 10 s; the demo's leases are short, so it waits less. */
const requestTimeoutMs = 2_000;

/**
 * Starts Postgres and nats-server in a temporary folder, the simulated KAT, and the real supervisor on them. `stack` stops them
 * in reverse.
 *
 * @param publisher wraps the JetStream publisher by which Bytes announces raw files.
 */
export async function startInstallation(
  world: World,
  parts: DemoParts,
  publisher: (jetstream: EventPublisher) => EventPublisher,
  stack: AsyncDisposableStack,
): Promise<Installation & { readonly publisher: EventPublisher }> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-demo-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const embedded = await startEmbedded({ NODE_ENV: undefined }, { data: directory, log: { warn() {} } });
  stack.defer(() => embedded.stop());
  const { databaseUrl, natsUrl } = embedded;
  const client = await parts.connectRota({ servers: natsUrl, timeoutMs: requestTimeoutMs });
  stack.defer(() => client.close());

  const jetstream = parts.createJetstreamPublisher(client.connection, prefix);
  const announcing = publisher({ publish: (stream, body) => jetstream.publish(stream, JSON.stringify(body)) });
  const kat = await startKat(world, { publisher: announcing });
  stack.defer(() => kat.close());

  const supervisor = await startSupervisorProcess({
    SCHEDULER_DB_URI: databaseUrl,
    NATS_URL: natsUrl,
    SCHEDULER_NATS_PREFIX: prefix,
    ...environmentOf(kat),
    SCHEDULER_LEASE_SECONDS: String(leaseMs / 1_000),
  });
  stack.defer(() => supervisor.stop());
  const inspector = await Inspector.open(databaseUrl);
  stack.defer(() => inspector.close());
  return { client, kat, supervisor, inspector, publisher: announcing };
}
