import { createJetstreamPublisher, type JetstreamPublisher } from '../../src/events/publish.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { type RotaClient, rotaClient } from '../../src/nats/client.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import type { World } from '../../src/simulator/world.ts';
import type { Bench } from './bench.ts';
import { type RotaOnStage, type RotaOptions, startRotaOn } from './stage.ts';

export interface KatOnStage {
  readonly rota: RotaOnStage;
  readonly kat: SimulatedKat;
  readonly client: RotaClient;
  readonly events: JetstreamPublisher;
  stop(): Promise<void>;
}

/** A whole KAT: the doubles answer from this process, events come over JetStream. */
export async function startKatOn(
  bench: Bench,
  name: string,
  world: World,
  options: RotaOptions & {
    /** Of each answer of the services. */
    readonly latencyMs?: number;
    readonly answered?: (began: number, ended: number) => void;
  } = {},
): Promise<KatOnStage> {
  const stage = await bench.stage();
  const kat = await startKat(world, options.answered === undefined ? {} : { answered: options.answered });
  for (const service of ['katalogus', 'octopoes', 'bytes'] as const) kat.latency(service, options.latencyMs ?? 0);
  const settings = {
    SCHEDULER_EVENTS: 'jetstream',
    KATALOGUS_API: kat.urls.katalogus,
    OCTOPOES_API: kat.urls.octopoes,
    BYTES_API: kat.urls.bytes,
    BYTES_USERNAME: kat.credentials.username,
    BYTES_PASSWORD: kat.credentials.password,
    ...options.settings,
  };
  const rota = await startRotaOn(stage, name, { ...options, settings });
  const connection = await connectNats({ servers: rota.natsUrl });
  return {
    rota,
    kat,
    client: rotaClient(connection, { prefix: rota.prefix, timeoutMs: 60_000 }),
    events: createJetstreamPublisher(connection, rota.prefix),
    stop: async () => {
      await rota.stop();
      await connection.close();
      await kat.close();
    },
  };
}

/** Asks until it is true; the pause is small beside what is waited for. */
export async function until(what: string, truth: () => Promise<boolean>, withinMs = 300_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await truth())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function countOf(sql: Sql, table: 'queue' | 'tasks'): Promise<number> {
  const [row] = await sql<{ count: number }[]>`SELECT count(*)::integer AS count FROM ${sql(table)}`;
  return row!.count;
}

/**
 * The boefje actor has looked at every organisation once, as it does when it starts: what it finds then would be queued
 * beside what is measured.
 */
export async function untilLooked({ rota, kat }: KatOnStage): Promise<void> {
  await until('the first look for new boefjes', async () => {
    const [row] = await rota.sql<{ count: number }[]>`SELECT count(*)::integer AS count FROM seen_boefjes`;
    return row!.count === kat.world.organisations.size;
  });
}
