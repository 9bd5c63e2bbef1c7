import { createJetstreamPublisher, type JetstreamPublisher } from '../../src/events/jetstream-message.ts';
import { type RotaClient, rotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import { makeObject, type SimulatedObject, createWorld, type World } from '../../src/simulator/world.ts';
import { boefjes } from '../../src/simulator/plugins.ts';
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
/** @param everyMs what is dear to ask slows down what it waits for */
export async function until(
  what: string,
  truth: () => Promise<boolean>,
  { withinMs = 300_000, everyMs = 20 } = {},
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await truth())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
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

/**
 * A KAT in which every boefje may run on every object, so that its size predicts the figures: host names of
 * level 4, and boefjes that take host names, without settings, cron, interval or run_on.
 */
export function plainWorld(of: { organisations: number; boefjes: number; objects: number }): World {
  const world = createWorld({ organisations: of.organisations, objects: 0, boefjes: 0, recipes: 0, seed: 1 });
  for (const [at, organisation] of [...world.organisations.values()].entries()) {
    organisation.deduplicate = false;
    for (const id of organisation.plugins.keys()) {
      if (organisation.plugins.get(id)!.type === 'boefje') organisation.plugins.delete(id);
    }
    for (const boefje of boefjes(of.boefjes).slice(0, of.boefjes)) {
      const plain = {
        consumes: ['Hostname'],
        scan_level: 1,
        boefje_schema: null,
        cron: null,
        interval: null,
        run_on: null,
      };
      organisation.plugins.set(boefje.id, { ...boefje, ...plain, enabled: true, deduplicate: false });
    }
    for (let number = 0; number < of.objects; number += 1) {
      const object = hostname(at, number);
      organisation.objects.set(object.reference, object);
    }
  }
  return world;
}

/** The `number`-th host name of an organisation. */
export function hostname(organisation: number, number: number): SimulatedObject {
  // The first of ten makers makes host names.
  const made = makeObject({ domain: `org-${organisation + 1}.example`, at: number * 10, address: 0 });
  return { ...made, level: 4, profile: 'declared' };
}
