import { bytesRoutes, type BytesStore, createBytesStore } from './bytes.ts';
import type { EventPublisher } from './events.ts';
import { katalogusRoutes } from './katalogus.ts';
import { octopoesRoutes } from './octopoes.ts';
import { type Answered, type Outage, startService } from './service.ts';
import type { World } from './world.ts';

export type KatServiceName = 'katalogus' | 'octopoes' | 'bytes';

export interface SimulatedKat {
  readonly world: World;
  readonly urls: Readonly<Record<KatServiceName, string>>;
  readonly credentials: { readonly username: string; readonly password: string };
  /** What Bytes holds. */
  readonly bytes: BytesStore;
  /** Requests per service and `METHOD route`, refused ones included. */
  counters(): Readonly<Record<KatServiceName, Readonly<Record<string, number>>>>;
  resetCounters(): void;
  /** Takes a service down, or up again with `none`. */
  outage(service: KatServiceName, mode: Outage): void;
  latency(service: KatServiceName, ms: number): void;
  /** Every Bytes token handed out so far stops working. */
  expireTokens(): void;
  close(): Promise<void>;
}

export interface KatOptions {
  /** Katalogus' own setting BOEFJES_DEDUPLICATE; on by default, as in KAT's shipped environment. */
  readonly deduplicate?: boolean;
  /** Where Bytes announces raw files. */
  readonly publisher?: EventPublisher;
  /** Told of every answer of any of the three. */
  readonly answered?: Answered;
}

/**
 * Katalogus, Octopoes and Bytes on free loopback ports, speaking kat-contract §5–§7 about one world: for the demo, and
 * for integration tests of whatever calls them.
 */
export async function startKat(world: World, options: KatOptions = {}): Promise<SimulatedKat> {
  const credentials = { username: 'bytes', password: 'simulated' };
  const bytes = createBytesStore();
  const tokens = new Set<string>();
  const announce = options.publisher === undefined ? {} : { publisher: options.publisher };
  const services = {
    katalogus: await startService(
      katalogusRoutes(world, { deduplicate: options.deduplicate ?? true }),
      options.answered,
    ),
    octopoes: await startService(octopoesRoutes(world), options.answered),
    bytes: await startService(bytesRoutes(bytes, tokens, { ...credentials, ...announce }), options.answered),
  };
  const all = Object.values(services);
  return {
    world,
    urls: { katalogus: services.katalogus.url, octopoes: services.octopoes.url, bytes: services.bytes.url },
    credentials,
    bytes,
    counters: () => ({
      katalogus: services.katalogus.counts(),
      octopoes: services.octopoes.counts(),
      bytes: services.bytes.counts(),
    }),
    resetCounters: () => all.forEach((service) => service.resetCounts()),
    outage: (service, mode) => services[service].outage(mode),
    latency: (service, ms) => services[service].latency(ms),
    expireTokens: () => tokens.clear(),
    close: async () => {
      await Promise.all(all.map((service) => service.close()));
    },
  };
}
