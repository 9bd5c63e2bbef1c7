import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { newToken } from '../api-tokens.ts';
import { writePrivate } from '../embedded/passwords.ts';
import { bytesClient } from '../simulator/bytes.ts';
import type { EventPublisher } from '../simulator/events.ts';
import { environmentOf, type SimulatedKat, startKat } from '../simulator/kat.ts';
import { noLedger } from '../simulator/measures.ts';
import { seeded } from '../simulator/random.ts';
import { askForReports, publishArrivals, Traffic } from '../simulator/traffic.ts';
import { jobs, Workforce } from '../simulator/workforce.ts';
import { createWorld, depart, type SimulatedObject, type World } from '../simulator/world.ts';
import type { DemoParts } from './demo/installation.ts';
import type { KatOptions } from './demo/run.ts';
import { write } from './terminal.ts';

/** An object is found so often: some three boefjes scan it, and four workers are busy now and then. */
const findEveryMs = 2_000;
/** Every tenth time a person asks for a report, too. */
const askEvery = 10;
/** Scans last from 0.4 to 1.6 s here: long enough to see tasks run. */
const slowness = 20;
const leaseMs = 60_000;
const popWaitMs = 5_000;

/** What the next start of the same folder needs to know: the size of the world, and how much was found since. */
const state = z.object({ world: z.array(z.number()), found: z.int().min(0) });

/** The simulated KAT of `rota dev --kat`. */
export interface DevKat {
  /** For the supervisor. */
  readonly environment: ReturnType<typeof environmentOf>;
  /** Of its token, for a supervisor whose REST API asks for one: it makes schedules as Rocky does. */
  readonly tokenLine: string;
  /** For scripts and people. */
  readonly shown: {
    readonly katalogus: string;
    readonly octopoes: string;
    readonly bytes: string;
    readonly organisations: readonly string[];
    readonly failing: string | null;
    readonly workers: number;
  };
  /** Lets events come and workers work on a Rota that serves. */
  startTraffic(rota: { readonly nats: string; readonly api: string }, prefix: string): Promise<void>;
  /** Events stop, and workers end what they have in hand; the services still answer. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the services of a simulated KAT. In a fresh folder `startTraffic` lets all its objects arrive over `seconds`; after that, and at
 * once in a folder that has seen them, a new one comes every other second.
 */
export async function startDevKat(options: KatOptions & { readonly data: string }, parts: DemoParts): Promise<DevKat> {
  const world = createWorld(options);
  const failing = failingOf(world);
  const file = join(options.data, 'kat.json');
  const size = [options.organisations, options.objects, options.boefjes, options.seed];
  const found = await readFound(file, size);
  let fresh = found === null;
  // All objects leave first: the boefje actor would scan them, without an event, as soon as it looks for new boefjes.
  const arrivals = fresh ? seeded(options.seed).shuffle(depart(world)) : [];
  const traffic = new Traffic(world, { seed: options.seed, found: found ?? 0 });
  let publisher: EventPublisher | null = null;
  const announcing: EventPublisher = {
    publish: async (stream, body) => {
      if (publisher === null) throw new Error('Rota does not serve yet');
      await publisher.publish(stream, body);
    },
  };
  const kat = await startKat(world, { publisher: announcing });
  const { token, line: tokenLine } = newToken('simulated-kat', 'operate');
  const stopping = new AbortController();
  const { signal } = stopping;
  const ends: (() => Promise<unknown>)[] = [];

  return {
    environment: environmentOf(kat),
    tokenLine,
    shown: { ...kat.urls, organisations: [...world.organisations.keys()], failing, workers: options.workers },
    startTraffic: async ({ nats, api }, prefix) => {
      const client = await parts.connectRota({ servers: nats, prefix });
      ends.unshift(() => client.close());
      const jetstream = parts.createJetstreamPublisher(client.connection, prefix);
      publisher = { publish: (stream, body) => jetstream.publish(stream, JSON.stringify(body)) };
      if (options.workers > 0) {
        const staff = workforce(options, { world, kat, failing, publisher: announcing, client });
        staff.start();
        ends.unshift(() => staff.stop());
      }
      const keep = () => writePrivate(file, JSON.stringify({ world: size, found: traffic.found }));
      let turn = 0;
      const events = async (isWell: () => void) => {
        if (fresh) {
          await askForReports(client, api, world, token);
          await publishArrivals(arrivals, { seconds: options.seconds, publisher: announcing, signal });
          await keep();
          fresh = false;
        }
        for (;;) {
          await delay(findEveryMs, undefined, { signal });
          await traffic.find(announcing);
          turn += 1;
          if (turn % askEvery === 0) await traffic.ask(client, turn / askEvery);
          await keep();
          isWell();
        }
      };
      const coming = untilStopped(events, signal);
      ends.unshift(() => coming);
    },
    stop: async () => {
      stopping.abort();
      for (const end of ends.splice(0)) await end();
    },
    close: () => kat.close(),
  };
}

/** Goes on after a fault, such as NATS that is away; the first of several in a row is told. */
async function untilStopped(work: (isWell: () => void) => Promise<void>, signal: AbortSignal): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    try {
      await work(() => (told = ''));
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== told) write(`The simulated KAT: ${reason}; it tries again.\n`, 'err');
      told = reason;
      await delay(findEveryMs, undefined, { signal }).catch(() => {});
    }
  }
}

function workforce(
  options: KatOptions,
  on: {
    world: World;
    kat: SimulatedKat;
    failing: string | null;
    publisher: EventPublisher;
    client: Awaited<ReturnType<DemoParts['connectRota']>>;
  },
): Workforce {
  const { world, kat, failing, publisher, client } = on;
  const random = seeded(options.seed);
  const bytes = bytesClient(kat.urls.bytes, kat.credentials);
  return new Workforce({
    client,
    ledger: noLedger,
    random,
    workers: options.workers,
    jobs: jobs({ world, bytes, publisher, random, fail: options.fail, failing, slowness }),
    leaseMs,
    waitMs: popWaitMs,
    kill: 0,
    onHandlerStarted() {},
    onPopServed() {},
  });
}

/** The boefje with the most to scan after `dns-records`; null where no other has anything. */
function failingOf(world: World): string | null {
  const scans = new Map<string, number>();
  for (const { plugins, objects } of world.organisations.values()) {
    for (const plugin of plugins.values()) {
      if (plugin.type !== 'boefje' || !plugin.enabled || plugin.id === 'dns-records') continue;
      const scanned = ({ objectType, level }: SimulatedObject) =>
        plugin.consumes.includes(objectType) && (level ?? 0) >= plugin.scan_level;
      scans.set(plugin.id, (scans.get(plugin.id) ?? 0) + [...objects.values()].filter(scanned).length);
    }
  }
  const [most] = [...scans].filter(([, count]) => count > 0).toSorted(([, one], [, other]) => other - one);
  return most?.[0] ?? null;
}

/** How many objects were found in this folder; null where its world is another one, or there was none. */
async function readFound(file: string, world: readonly number[]): Promise<number | null> {
  const text = await readFile(file, 'utf8').catch(() => 'null');
  const read = state.safeParse(jsonOf(text));
  if (!read.success || read.data.world.join() !== world.join()) return null;
  return read.data.found;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
