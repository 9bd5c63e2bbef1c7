import { setTimeout as delay } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import { bytesRoutes, type BytesStore, createBytesStore } from './bytes.ts';
import type { EventPublisher } from './events.ts';
import { katalogusRoutes } from './katalogus.ts';
import { octopoesRoutes } from './octopoes.ts';
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
  outage(service: KatServiceName, mode: OutageMode): void;
  latency(service: KatServiceName, ms: number): void;
  /** Every Bytes token handed out so far stops working. */
  expireTokens(): void;
  close(): Promise<void>;
}

/** The variables of a supervisor that works for this KAT, its events over JetStream. */
export function environmentOf({ urls, credentials }: Pick<SimulatedKat, 'urls' | 'credentials'>) {
  return {
    SCHEDULER_EVENTS: 'jetstream',
    KATALOGUS_API: urls.katalogus,
    OCTOPOES_API: urls.octopoes,
    BYTES_API: urls.bytes,
    BYTES_USERNAME: credentials.username,
    BYTES_PASSWORD: credentials.password,
  };
}

interface KatOptions {
  /** Katalogus' own setting BOEFJES_DEDUPLICATE; on by default, as in KAT's shipped environment. */
  readonly deduplicate?: boolean;
  /** Where Bytes announces raw files. */
  readonly publisher?: EventPublisher;
  /** Called for every answer of the three services. */
  readonly answered?: Answered;
}

/**
 * Katalogus, Octopoes and Bytes on free loopback ports, speaking kat-contract §5–§7 about one world: for the demo, and for
 * integration tests of their callers.
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

/**
 * How a service misbehaves: `error` answers 503, `hang` accepts and answers nothing until the outage ends, `reset`
 * closes the connection.
 */
export type OutageMode = 'none' | 'error' | 'hang' | 'reset';

interface SimulatedService {
  readonly url: string;
  /** Requests per `METHOD route`, refused ones included: `GET /v1/organisations/:organisation/plugins` → 3. */
  counts(): Readonly<Record<string, number>>;
  resetCounts(): void;
  outage(mode: OutageMode): void;
  /** Milliseconds before every answer. */
  latency(ms: number): void;
  close(): Promise<void>;
}

/** When an answer began and ended, by performance.now(): the share of the simulation in a measured time. */
type Answered = (began: number, ended: number) => void;

/** One HTTP service on a free loopback port: counts its requests, and fails on command. */
async function startService(routes: (app: FastifyInstance) => void, answered?: Answered): Promise<SimulatedService> {
  // On close it drops its connections: a client that keeps one would delay the end of a test.
  const app = fastify({ forceCloseConnections: true, bodyLimit: 64 * 2 ** 20 });
  const counts = new Map<string, number>();
  let mode: OutageMode = 'none';
  let latencyMs = 0;
  let ended = Promise.withResolvers<void>();

  app.addHook('onRequest', async (request, reply) => {
    const route = `${request.method} ${request.routeOptions.url ?? request.url.split('?')[0]}`;
    counts.set(route, (counts.get(route) ?? 0) + 1);
    if (latencyMs > 0) await delay(latencyMs);
    if (mode === 'hang') await ended.promise;
    if (mode === 'error') return reply.code(503).send({ detail: 'Service Unavailable' });
    if (mode === 'reset') {
      reply.hijack();
      request.raw.destroy();
    }
  });
  if (answered !== undefined) {
    app.addHook('onResponse', async (_request, reply) => {
      const ended = performance.now();
      answered(ended - reply.elapsedTime, ended);
    });
  }
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  routes(app);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });

  const outage = (next: OutageMode) => {
    mode = next;
    ended.resolve();
    ended = Promise.withResolvers();
  };
  return {
    url,
    counts: () => Object.fromEntries(counts),
    resetCounts: () => counts.clear(),
    outage,
    latency: (ms) => {
      latencyMs = ms;
    },
    close: async () => {
      outage('none');
      await app.close();
    },
  };
}
